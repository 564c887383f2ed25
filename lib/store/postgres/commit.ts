/**
 * The path of all results: a batch is one statement, or one transaction of several where it is large.
 *
 * What is sent and not answered may have been carried out. It is sent again once the server has ended whatever was left
 * of the lost connection, and answers as the first time would have: a run of this very id counts as started, an end of
 * this very epoch, state and time as accepted.
 *
 * @module
 */
import type { Batch, NewRun, Receipt, RunWrite, StartVerdict, WriteVerdict } from "../batch.ts";
import type { Row } from "../rows.ts";
import { items, numbers, texts } from "./arrays.ts";
import { codeOf, faultOf, refusal } from "./faults.ts";
import { flushOf } from "./flush_values.ts";
import type { BoundStatement } from "./connection.ts";
import type { News } from "./news.ts";
import { split } from "./parts.ts";
import type { Role, Session } from "./session.ts";

const THESE = `
select id, seq, owner, epoch, created_at, null as ask
  from @runs
 where id = any($1::uuid[])
 union all
select r.id, r.seq, r.owner, r.epoch, r.created_at, k.n
  from unnest($2::text[], $3::text[]) with ordinality as k (workflow, key, n)
  join @runs as r on r.workflow = k.workflow and r.key = k.key`;

const LOCK_TIMEOUT = `select set_config('lock_timeout', $1, true)`;

const ENDS = `select seq, epoch, owner, state, ended_at, reason from @runs where seq = any($1::bigint[])`;

/** Writes a batch. */
export async function commitBatch(session: Session, news: News, batch: Batch): Promise<Receipt> {
  return await commitBy(session, news, batch, { role: "flush" });
}

/** Inserts runs with keys; `undefined`, and nothing is inserted, if it had to wait longer for a lock than that. */
export async function insertKeyed(
  session: Session,
  news: News,
  { starts, lockTimeoutMs }: { readonly starts: readonly NewRun[]; readonly lockTimeoutMs: number },
): Promise<readonly StartVerdict[] | undefined> {
  try {
    const receipt = await commitBy(session, news, { starts, writes: [] }, { role: "keys", lockTimeoutMs });
    return receipt.starts;
  } catch (error) {
    if (error instanceof LockTimeout) return undefined;
    throw error;
  }
}

/** Ends what had to wait for a lock for too long. */
class LockTimeout extends Error {}

async function commitBy(session: Session, news: News, batch: Batch, options: AttemptOptions): Promise<Receipt> {
  if (batch.starts.length + batch.writes.length === 0) return { starts: [], writes: [] };
  try {
    return await attempt(session, news, batch, options);
  } catch (error) {
    if (faultOf(error) !== "values") throw error;
  }
  // One of them is refused, and this finds out which.
  return await isolate(session, news, batch, { ...options, isWary: true });
}

interface AttemptOptions {
  /** By which connection. */
  readonly role: Role;
  /** Whether rows that are said to be new may be there nevertheless. @default {false} */
  readonly isWary?: boolean;
  /** How long it may wait for each lock. @default {Infinity} */
  readonly lockTimeoutMs?: number | undefined;
}

function attempt(
  session: Session,
  news: News,
  batch: Batch,
  { role, isWary = false, lockTimeoutMs }: AttemptOptions,
): Promise<Receipt> {
  const parts = split(batch);
  const told = news.of(batch);
  return session.persistence.attempt("write to", async (isDoubtful) => {
    if (isDoubtful) await session.endRemains(role);
    const statements = parts.map((part, index) =>
      flushOf(part, { at: session.at, isWary: isWary || isDoubtful, news: index === 0 ? told : null })
    );
    const answers = (await send(session, { role, statements, lockTimeoutMs })).map(([row]) => row ?? {});
    session.wrote(answers.reduce((sum, row) => sum + Number(row["changed"]) + Number(row["noted"]), 0));
    const starts: StartVerdict[] = [];
    const writes: WriteVerdict[] = [];
    for (const [index, answer] of answers.entries()) {
      const one = parts[index]!;
      starts.push(...await startVerdicts(session, one.starts, answer, role));
      writes.push(...await writeVerdicts(session, one.writes, answer, isDoubtful));
    }
    return { starts, writes };
  });
}

interface Sending extends AttemptOptions {
  /** In their order. */
  readonly statements: readonly BoundStatement[];
}

/** Several statements are one transaction. */
async function send(
  session: Session,
  { role, statements, lockTimeoutMs }: Sending,
): Promise<readonly (readonly Row[])[]> {
  const [first] = statements;
  if (lockTimeoutMs !== undefined) {
    try {
      const limit = { sql: LOCK_TIMEOUT, values: [String(lockTimeoutMs)] };
      return (await session.pipeline(role, [limit, ...statements])).slice(1);
    } catch (error) {
      throw codeOf(error) === "55P03" ? new LockTimeout() : error;
    }
  }
  if (statements.length !== 1 || first === undefined) return await session.pipeline(role, statements);
  return [await session.single(role, first.sql, first.values)];
}

async function startVerdicts(
  session: Session,
  starts: readonly NewRun[],
  answer: Row,
  role: Role,
): Promise<readonly StartVerdict[]> {
  if (starts.length === 0) return [];
  const at = Number(answer["server_now"]);
  const seqs = items(answer["seqs"]);
  const owned = items(answer["owned"]);
  const verdicts = new Map<string, StartVerdict>();
  for (const [index, id] of items(answer["ids"]).entries()) {
    verdicts.set(id, { kind: "started", seq: Number(seqs[index]), owned: owned[index] === "t", at });
  }
  const missing = starts.filter(({ id }) => !verdicts.has(id));
  if (missing.length > 0) await findStarted(session, missing, verdicts, role);
  return starts.map(({ id, workflow, key }) =>
    verdicts.get(id) ?? {
      kind: "refused",
      error: refusal(
        new Error(`run "${id}" of "${workflow}" with key "${key}" was neither started nor found`),
        session.name,
      ),
    }
  );
}

/** Those that were there already: by an earlier try of the same commit, or under the same key. */
async function findStarted(
  session: Session,
  missing: readonly NewRun[],
  verdicts: Map<string, StartVerdict>,
  role: Role,
): Promise<void> {
  const keyed = missing.filter(({ key }) => key !== undefined);
  // A statement of its own: what another process has inserted since the first one began is not in sight of that.
  const rows = await session.single(role, THESE, [
    texts(missing.map(({ id }) => id)),
    texts(keyed.map(({ workflow }) => workflow)),
    texts(keyed.map(({ key }) => key)),
  ]);
  for (const row of rows) {
    if (row["ask"] !== null) {
      verdicts.set(keyed[Number(row["ask"]) - 1]!.id, { kind: "existing", id: String(row["id"]) });
    }
  }
  for (const row of rows) {
    const run = missing.find(({ id }) => id === row["id"]);
    if (run === undefined || row["ask"] !== null) continue;
    verdicts.set(run.id, {
      kind: "started",
      seq: Number(row["seq"]),
      owned: run.owner !== undefined && row["owner"] === run.owner && row["epoch"] === 1,
      at: Number(row["created_at"]),
    });
  }
}

async function writeVerdicts(
  session: Session,
  writes: readonly RunWrite[],
  answer: Row,
  isDoubtful: boolean,
): Promise<readonly WriteVerdict[]> {
  const fenced = new Set([...items(answer["fenced"]), ...items(answer["unmoved"])].map(Number));
  const cancelled = cancelledOf(answer["cancelled"]);
  if (fenced.size + cancelled.size === 0) return writes.map(() => "accepted");
  const ends = new Map<number, Row>();
  if (isDoubtful && fenced.size > 0) {
    for (const row of await session.single("flush", ENDS, [numbers([...fenced])])) ends.set(Number(row["seq"]), row);
  }
  return writes.map((write) => {
    const reason = cancelled.get(write.seq);
    if (reason !== undefined && write.move?.to === "completed") return { cancelled: { reason: reason ?? undefined } };
    return fenced.has(write.seq) ? verdictOnEnd(write, ends.get(write.seq)) : "accepted";
  });
}

/** The runs that ended as cancelled instead of completed, and why they were cancelled. */
function cancelledOf(json: unknown): ReadonlyMap<number, string | null> {
  return new Map(typeof json === "string" ? JSON.parse(json) : []);
}

/** What an earlier try of a write has done, whose answer was lost. */
function verdictOnEnd(write: RunWrite, row: Row | undefined): WriteVerdict {
  if (isOwnDoing(write, row)) return "accepted";
  const { epoch, move } = write;
  const wasCancelled = move?.to === "completed" && row?.["epoch"] === epoch && row["state"] === "cancelled" &&
    row["ended_at"] === move.at;
  if (!wasCancelled) return "fenced";
  return { cancelled: { reason: row["reason"] === null ? undefined : String(row["reason"]) } };
}

/** Whether a run is as this very write has left it: nobody else writes under its epoch. */
function isOwnDoing({ epoch, move }: RunWrite, row: Row | undefined): boolean {
  if (row === undefined || move === undefined || row["epoch"] !== epoch || row["owner"] !== null) return false;
  switch (move.to) {
    case "completed":
    case "failed":
    case "cancelled":
      return row["state"] === move.to && row["ended_at"] === move.at;
    case "waiting":
      return move.release;
    case "pending":
    case "stranded":
      return true;
    case "running":
      return false;
  }
}

/** Halves a part until what is refused stands alone. */
async function isolate(session: Session, news: News, part: Batch, options: AttemptOptions): Promise<Receipt> {
  const { starts, writes } = part;
  try {
    return await attempt(session, news, part, options);
  } catch (error) {
    if (faultOf(error) !== "values") throw error;
    if (starts.length + writes.length === 1) {
      const refused = refusal(error, session.name);
      return {
        starts: starts.map(() => ({ kind: "refused", error: refused })),
        writes: writes.map(() => ({ refused })),
      };
    }
  }
  const [first, second] = halves(part);
  const one = await isolate(session, news, first, options);
  const other = await isolate(session, news, second, options);
  return { starts: [...one.starts, ...other.starts], writes: [...one.writes, ...other.writes] };
}

function halves({ starts, writes }: Batch): readonly [Batch, Batch] {
  const at = Math.ceil((starts.length + writes.length) / 2);
  const inWrites = Math.max(0, at - starts.length);
  return [
    { starts: starts.slice(0, at), writes: writes.slice(0, inWrites) },
    { starts: starts.slice(at), writes: writes.slice(inWrites) },
  ];
}
