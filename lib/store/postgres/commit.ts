/**
 * The path of all results: a batch is one statement, or one transaction where it also claims.
 *
 * What is sent and not answered may have been carried out. It is sent again once the server has ended whatever was left
 * of the lost connection, and answers as the first time would have: a run of this very id counts as started, an end of
 * this very epoch, state and time as accepted, and what a claim of this very number took as claimed.
 *
 * @module
 */
import type { Batch, Claim, ClaimRequest, NewRun, Receipt, RunWrite, StartVerdict, WriteVerdict } from "../batch.ts";
import type { Row } from "../rows.ts";
import { items, numbers, texts } from "./arrays.ts";
import { claimOf, claimValues, NOTHING_DUE, takenOf } from "./claim.ts";
import { CLAIM, TAKEN_BEFORE } from "./claim_sql.ts";
import { faultOf, messageOf, refusal } from "./faults.ts";
import { flushOf, type Part } from "./flush_values.ts";
import type { News } from "./news.ts";
import { split } from "./parts.ts";
import type { Role, Run, Session } from "./session.ts";

const THESE = `
select id, seq, owner, epoch, created_at, null as ask
  from @runs
 where id = any($1::uuid[])
 union all
select r.id, r.seq, r.owner, r.epoch, r.created_at, k.n
  from unnest($2::text[], $3::text[]) with ordinality as k (workflow, key, n)
  join @runs as r on r.workflow = k.workflow and r.key = k.key`;

const ENDS = `select seq, epoch, owner, state, ended_at from @runs where seq = any($1::bigint[])`;

/** Writes a batch. */
export async function commitBatch(session: Session, news: News, batch: Batch): Promise<Receipt> {
  const { starts, writes, claim } = batch;
  const isEmpty = starts.length === 0 && writes.length === 0;
  if (isEmpty && (claim === undefined || claim.limit <= 0)) {
    return { starts: [], writes: [], claim: claim && NOTHING_DUE };
  }
  const order = claim !== undefined && claim.limit > 0 ? { request: claim, token: newToken() } : undefined;
  const role = isEmpty
    ? "claim"
    : writes.length === 0 && claim === undefined && starts.every(hasKey)
    ? "keys"
    : "flush";
  try {
    return await attempt(session, news, { starts, writes }, { role, order });
  } catch (error) {
    if (faultOf(error) !== "values" || isEmpty) throw error;
  }
  // One of them is refused, and this finds out which.
  const verdicts = await isolate(session, news, { starts, writes }, role);
  return { ...verdicts, claim: claim && await claimAfter(session, news, claim) };
}

interface ClaimOrder {
  readonly request: ClaimRequest;
  /** Marks what it takes. */
  readonly token: number;
}

type Verdicts = Pick<Receipt, "starts" | "writes">;

function hasKey({ key }: NewRun): boolean {
  return key !== undefined;
}

function newToken(): number {
  return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}

interface AttemptOptions {
  readonly role: Role;
  readonly order?: ClaimOrder | undefined;
  /** Whether rows that are said to be new may be there nevertheless. @default {false} */
  readonly isWary?: boolean;
}

function attempt(session: Session, news: News, part: Part, options: AttemptOptions): Promise<Receipt> {
  const { role, order, isWary = false } = options;
  const parts = split(part);
  const told = news.of(part);
  return session.persistence.attempt("write to", async (isDoubtful) => {
    if (isDoubtful) await session.endRemains(role);
    const manner = { role, isDoubtful, isWary: isDoubtful || isWary, news: told };
    const { answers, claimed, adopted } = await sendOnce(session, parts, order, manner);
    const starts: StartVerdict[] = [];
    const writes: WriteVerdict[] = [];
    for (const [index, answer] of answers.entries()) {
      const one = parts[index]!;
      starts.push(...await startVerdicts(session, one.starts, answer, role));
      writes.push(...await writeVerdicts(session, one.writes, answer, isDoubtful));
    }
    return { starts, writes, claim: order && await claimOf(session, adopted ?? claimed ?? [], order.request) };
  });
}

interface Answers {
  readonly answers: readonly Row[];
  readonly claimed: readonly Row[] | undefined;
  /** What an earlier try took already. */
  readonly adopted: readonly Row[] | undefined;
}

interface Manner {
  /** By which connection. */
  readonly role: Role;
  /** Whether an earlier try may have been carried out. */
  readonly isDoubtful: boolean;
  /** Whether rows that should be new may be there. */
  readonly isWary: boolean;
  /** What others are told. */
  readonly news: string | null;
}

async function sendOnce(
  session: Session,
  parts: readonly Part[],
  order: ClaimOrder | undefined,
  manner: Manner,
): Promise<Answers> {
  const { role } = manner;
  if (parts.length + (order === undefined ? 0 : 1) === 1 && !manner.isDoubtful) {
    const run: Run = (sql, values = []) => session.single(role, sql, values);
    const sent = await sendAll(session, run, parts, order, manner);
    session.wrote(rowsOf(sent));
    return sent;
  }
  if (!manner.isDoubtful) {
    return await session.atOnce(role, async ({ run, wrote }) => {
      const sent = await sendAll(session, run, parts, order, manner);
      wrote(rowsOf(sent));
      return sent;
    });
  }
  return await session.once(role, async ({ run, wrote }) => {
    const before = order ? await run(TAKEN_BEFORE, [String(order.request.runner), String(order.token)]) : [];
    const adopted = before.length > 0 ? before : undefined;
    const sent = await sendAll(session, run, parts, adopted ? undefined : order, manner);
    wrote(rowsOf(sent));
    return { ...sent, adopted };
  });
}

/** Sends everything without waiting in between. */
async function sendAll(
  session: Session,
  run: Run,
  parts: readonly Part[],
  order: ClaimOrder | undefined,
  { isWary, news }: Manner,
): Promise<Answers> {
  const { at } = session;
  const flushes = parts.map((part, index) => {
    const { sql, values } = flushOf(part, { at, isWary, news: index === 0 ? news : null });
    return run(sql, values);
  });
  const claim = order && run(CLAIM, claimValues(order.request, order.token, at));
  // Of several that fail the first says why: what comes after it is refused for its sake.
  claim?.catch(() => {});
  const answers = await Promise.all(flushes);
  return { answers: answers.map(([row]) => row ?? {}), claimed: await claim, adopted: undefined };
}

function rowsOf({ answers, claimed }: Answers): number {
  const flushed = answers.reduce((sum, row) => sum + Number(row["changed"]) + Number(row["noted"]), 0);
  return flushed + (claimed === undefined ? 0 : takenOf(claimed).length);
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
  if (fenced.size === 0) return writes.map(() => "accepted");
  const ends = new Map<number, Row>();
  if (isDoubtful) {
    for (const row of await session.single("flush", ENDS, [numbers([...fenced])])) ends.set(Number(row["seq"]), row);
  }
  return writes.map((write) =>
    !fenced.has(write.seq) || isOwnDoing(write, ends.get(write.seq)) ? "accepted" : "fenced"
  );
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
async function isolate(session: Session, news: News, part: Part, role: Role): Promise<Verdicts> {
  const { starts, writes } = part;
  try {
    return await attempt(session, news, part, { role, isWary: true });
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
  const one = await isolate(session, news, first, role);
  const other = await isolate(session, news, second, role);
  return { starts: [...one.starts, ...other.starts], writes: [...one.writes, ...other.writes] };
}

function halves({ starts, writes }: Part): readonly [Part, Part] {
  const at = Math.ceil((starts.length + writes.length) / 2);
  const inWrites = Math.max(0, at - starts.length);
  return [
    { starts: starts.slice(0, at), writes: writes.slice(0, inWrites) },
    { starts: starts.slice(at), writes: writes.slice(inWrites) },
  ];
}

// The results of a batch must not be lost because nothing can be claimed after them.
async function claimAfter(session: Session, news: News, request: ClaimRequest): Promise<Claim> {
  if (request.limit <= 0) return NOTHING_DUE;
  try {
    const { claim } = await attempt(session, news, { starts: [], writes: [] }, {
      role: "claim",
      order: { request, token: newToken() },
    });
    return claim ?? NOTHING_DUE;
  } catch (error) {
    session.logger.error(`Cannot claim runs from Postgres database ${session.name}: ${messageOf(error)}`);
    return NOTHING_DUE;
  }
}
