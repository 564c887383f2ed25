/**
 * A body in a transaction to which the result is added before it is committed.
 *
 * While the body runs nothing of the engine's is locked: the run may be cancelled, or taken over from a runner that
 * was thought dead. Only with the result is the fence read under its lock (see flush_sql.ts), which is then held for the one
 * answer until the commit, and for seconds at most should this process be stopped right there.
 *
 * A commit whose answer is lost is found out about from the journal: the row is there, under this epoch, or nothing is.
 *
 * @module
 */
import { StoreError } from "../../errors.ts";
import type { JournalRecord } from "../batch.ts";
import { causesOf } from "../causes.ts";
import type { TransactionRequest, TransactionVerdict } from "../port.ts";
import type { Row } from "../rows.ts";
import { codeOf, isFromServer, messageOf } from "./faults.ts";
import { REPLACE } from "./flush_sql.ts";
import { printable } from "./flush_values.ts";
import { firstOf, type GuardedTransaction, guardTransaction } from "./guard.ts";
import type { Bindable } from "./connection.ts";
import { ENTER, LEAVE, SET_PATH, USERS_PATH } from "./search_path.ts";
import type { Session } from "./session.ts";
import type { Lent, Transactions } from "./transactions.ts";

// Whatever its epoch: the first recorded result stands. One of an earlier epoch may come late, if its commit was on its
// way when its runner stopped.
const RECORDED = `
select output, 1 as recorded
  from @tasks
 where run = $1::text::bigint and task = $2 and item = -1 and step = '' and state = 'completed'`;

const OWNED = `
select count(*) as owned
  from @runs as r
  join @runners as w on w.id = r.owner and not w.dead
 where r.seq = $1::text::bigint and r.epoch = $3::text::integer`;

// The setting is the transaction's own: one that the body has ended has lost it.
const CHECK = `
select set_config('sluice.body', $4::text, true) as token,
       o.owned::text as owned, t.output, t.recorded::text as recorded
  from (${OWNED}) as o
  left join (${RECORDED}) as t on true`;

const LOOK = `
select o.owned::text as owned, t.output, t.recorded::text as recorded
  from (${OWNED}) as o
  left join (${RECORDED}) as t on true`;

const RECORD = `
with held as materialized (
  select seq, epoch, owner
    from @runs
   where seq = $1::text::bigint and epoch = $3::text::integer
),
live as materialized (
  select id
    from @runners
   where id = (select owner from held) and not dead
     for key share
),
recorded as (
  insert into @tasks as t (run, task, epoch, state, attempts, started_at, ended_at, output, failures, progress)
  select h.seq, $2, h.epoch, 'completed', $5::text::integer, $6::text::bigint, $7::text::bigint, $8::text,
         $9::text, $10::text
    from held as h
   where h.owner in (select id from live)
     and current_setting('sluice.body', true) = $4::text
   ${REPLACE}
  returning 1
)
select (select count(*) from recorded)::text as recorded,
       (current_setting('sluice.body', true) is not distinct from $4::text)::text as "open",
       set_config('idle_in_transaction_session_timeout', '5000', true) as idle`;

// A transaction that cannot write fails with the third of them, and with it what is sent behind.
const BEGIN = `begin; ${SET_PATH}; set transaction isolation level read committed, read write`;

// Names the schema of all it uses: a body that has ended its transaction has lost the engine's search path with it.
const IS_OPEN = `
select (pg_catalog.current_setting('sluice.body', true) operator(pg_catalog.=) $1::pg_catalog.text)::pg_catalog.text
         as "open"`;

// Serialization failure, deadlock. Not a lock that the body itself did not want to wait for.
const CONFLICTS = new Set(["40001", "40P01"]);

/** Runs a body in a transaction that also records its result. */
export async function transact(
  session: Session,
  transactions: Transactions,
  request: TransactionRequest,
): Promise<TransactionVerdict> {
  const { signal } = request;
  // A connection that may still be about to commit.
  let doubtful: string | undefined;
  const end = await session.persistence.attempt("write to", async () => {
    if (signal.aborted) return { threw: signal.reason as unknown };
    if (doubtful !== undefined) await session.endConnection(doubtful);
    doubtful = undefined;
    const lent = await transactions.take(signal).catch(() => undefined);
    if (lent === undefined) return { threw: signal.reason as unknown };
    try {
      const { verdict, thrown, isAgain, isInDoubt } = await attempt(session, lent, request);
      if (isInDoubt) doubtful = lent.applicationName;
      if (isAgain) throw thrown;
      return verdict === undefined ? { threw: thrown } : verdict;
    } finally {
      lent.done();
    }
    // The body may wait for the very clock.
  }, false);
  if ("threw" in end) throw end.threw;
  if (end.kind !== "unrecorded") return end;
  const [row] = await session.read(LOOK, keyOf(request));
  return foundIn(row) ?? { kind: "fenced" };
}

/** `unrecorded` if the row was refused, by the fence or because it is there already: what the body did is rolled back. */
type TryVerdict = TransactionVerdict | { readonly kind: "unrecorded" };

/** How one try ended. */
interface TryEnd {
  /** What became of it. */
  readonly verdict?: TryVerdict;
  /** What was thrown. */
  readonly thrown?: unknown;
  /** Whether it passes by itself. */
  readonly isAgain?: boolean;
  /** Whether it may be committed all the same. */
  readonly isInDoubt?: boolean;
}

async function attempt(session: Session, lent: Lent, request: TransactionRequest): Promise<TryEnd> {
  const { connection, applicationName } = lent;
  const { signal } = request;
  const token = crypto.randomUUID();
  const now: { at: "check" | "body" | "commit" } = { at: "check" };
  let guard: GuardedTransaction | undefined;
  // A statement may take for ever, and what comes after it would wait: so the connection goes.
  const abort = (): void => {
    if (now.at === "commit") return;
    connection.abandon();
    void session.endConnection(applicationName).catch(() => {});
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    const verdict = await work();
    if (now.at === "commit") session.wrote(1);
    else await connection.query("rollback", []);
    return { verdict };
  } catch (thrown) {
    guard?.close();
    // One that is lost has rolled back by itself, and so has a commit that failed.
    if (!connection.isLost && now.at !== "commit") await connection.query("rollback", []).catch(() => {});
    if (signal.aborted && now.at !== "commit") return { thrown: signal.reason };
    if (connection.isLost) return { thrown: lost(thrown), isAgain: true, isInDoubt: now.at === "commit" };
    // Before the body: whatever it is, it is none of the body's doing.
    if (now.at === "check" && isFromServer(thrown)) return { thrown, isAgain: true };
    return conflictIn(thrown) ?? { thrown };
  } finally {
    signal.removeEventListener("abort", abort);
  }

  async function work(): Promise<TryVerdict> {
    const [, [row]] = await Promise.all([
      connection.query(BEGIN, []),
      ask(CHECK, [...keyOf(request), token]),
      connection.query(USERS_PATH, []),
    ]);
    const found = foundIn(row);
    if (found !== undefined) return found;
    now.at = "body";
    guard = guardTransaction({ sql: connection.sql, whyLost: () => connection.whyLost, lost: connection.lost });
    const record = await Promise.race([request.body(guard.tx), connection.lost]);
    guard.close();
    signal.throwIfAborted();
    const [isOpen] = await ask(IS_OPEN, [token]);
    if (isOpen?.["open"] !== "true") throw endedError(session.name);
    const [, [answer]] = await Promise.all([
      ask(ENTER, []),
      ask(RECORD, [...keyOf(request), token, ...valuesOf(record)]),
      // Before the commit, at which triggers of the user's tables may be executed.
      ask(LEAVE, []),
    ]);
    if (answer?.["open"] !== "true") throw endedError(session.name);
    if (guard.failure !== undefined) throw guard.failure.error;
    if (answer["recorded"] !== "1") return { kind: "unrecorded" };
    signal.throwIfAborted();
    now.at = "commit";
    request.committing();
    await connection.query("commit", []);
    return committed(record.output);
  }

  async function ask(sql: string, values: readonly Bindable[]): Promise<readonly Row[]> {
    try {
      return await connection.query(session.textOf(sql), values);
    } catch (error) {
      throw firstOf(error, guard?.failure);
    }
  }
}

/** What there is to know before the body runs; `undefined` if it is to run. */
function foundIn(row: Row | undefined): TransactionVerdict | undefined {
  if (row?.["owned"] !== "1") return { kind: "fenced" };
  return row["recorded"] === "1" ? committed(row["output"]) : undefined;
}

function keyOf({ seq, task, epoch }: TransactionRequest): readonly string[] {
  return [String(seq), task, String(epoch)];
}

function valuesOf({ attempts, startedAt, endedAt, output, failures, progress }: JournalRecord): Bindable[] {
  return [
    String(attempts),
    startedAt === undefined ? null : String(startedAt),
    endedAt === undefined ? null : String(endedAt),
    output ?? null,
    failures.length === 0 ? null : printable(JSON.stringify(failures)),
    progress ?? null,
  ];
}

function committed(output: unknown): TransactionVerdict {
  return { kind: "committed", output: typeof output === "string" ? output : undefined };
}

/** What the server says when it gave up a transaction that would succeed another time, however the body has wrapped it. */
function conflictIn(thrown: unknown): TryEnd | undefined {
  const conflict = causesOf(thrown).find((error) => isFromServer(error) && CONFLICTS.has(codeOf(error) ?? ""));
  return conflict === undefined ? undefined : { thrown: conflict, isAgain: true };
}

/** What is tried again for the connection's sake, whatever the body made of it. */
function lost(thrown: unknown): Error {
  const told = `the connection of a transaction is lost: ${messageOf(thrown)}`;
  return Object.assign(new Error(told), { code: "CONNECTION_LOST" });
}

function endedError(name: string): StoreError {
  return new StoreError(
    "transaction_ended",
    `Cannot record the result in Postgres database ${name}: the body has ended its transaction; what it wrote may be ` +
      "committed without it. Leave commit and rollback to Sluice: a body that throws is rolled back",
  );
}
