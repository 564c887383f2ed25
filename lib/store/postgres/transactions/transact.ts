/**
 * Runs a body in a transaction to which the result is added before the commit.
 *
 * While the body runs, no row of the engine is locked: the run may be cancelled, or taken over from a runner that was
 * declared dead. The fence is read under its lock only with the result (see flush_sql.ts). The lock is then held for
 * the single round trip until the commit, and for a few seconds at most if this process is stopped at that point.
 *
 * The journal decides a commit whose response is lost: either the row is recorded under this epoch, or nothing is.
 *
 * @module
 */
import type { JournalRecord } from "../../port/batch.ts";
import { REPLACE } from "../../shared/replace_record.ts";
import { backendPrefix, nameInBody } from "../connect/backends.ts";
import type { TransactionRequest, TransactionVerdict } from "../../port/transactions.ts";
import type { Row } from "../../shared/decode.ts";
import { type BodyLimits, limitReached, MOST_LOSSES, readBodyLimits } from "./body_limits.ts";
import { faultOf, isFromServer, messageOf } from "../connect/faults.ts";
import { printable } from "../write/printable.ts";
import { firstOf, type GuardedTransaction, guardTransaction } from "./guard.ts";
import type { Bindable } from "../connect/connection.ts";
import { ENTER, LEAVE, SET_PATH, USERS_PATH } from "../connect/search_path.ts";
import type { Session } from "../connect/session.ts";
import { endedByServer, endedError, lost, passing, passingIn } from "./transaction_errors.ts";
import type { Lent, Transactions } from "./transactions.ts";

// Of any epoch: the first recorded result stands. A result of an earlier epoch may arrive late, if its commit was in
// flight when its runner stopped.
const RECORDED = `
select output, 1 as recorded
  from @tasks
 where run = $1::text::bigint and task = $2 and item = $4::text::integer and step = '' and state = 'completed'`;

const OWNED = `
select count(*) as owned, max(r.owner) as owner
  from @runs as r
  join @runners as w on w.id = r.owner and not w.dead
 where r.seq = $1::text::bigint and r.epoch = $3::text::integer`;

/** How long a transaction may be idle, if neither the URL nor the role nor the server limits that. */
const LONGEST_IDLE_MS = 300_000;

// The settings are local to the transaction: they are lost if the body has ended it. A transaction without a limit of
// its own on idle time gets one, so that its locks are released if this process stands still and no runner replaces it.
const CHECK = `
select set_config('sluice.body', $5::text, true) as token,
       ${nameInBody({ prefix: "$6::text", runner: "coalesce(o.owner, 0)" })} as name,
       set_config('idle_in_transaction_session_timeout',
                  case current_setting('idle_in_transaction_session_timeout')
                    when '0' then '${LONGEST_IDLE_MS}'
                    else current_setting('idle_in_transaction_session_timeout')
                  end, true) as idle_limit,
       current_setting('transaction_timeout', true) as total_limit,
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
  insert into @tasks as t (run, task, item, epoch, state, attempts, started_at, ended_at, output, failures, progress)
  select h.seq, $2, $4::text::integer, h.epoch, 'completed', $6::text::integer, $7::text::bigint, $8::text::bigint,
         $9::text, $10::text, $11::text
    from held as h
   where h.owner in (select id from live)
     and current_setting('sluice.body', true) = $5::text
   ${REPLACE}
  returning 1
)
select (select count(*) from recorded)::text as recorded,
       (current_setting('sluice.body', true) is not distinct from $5::text)::text as "open",
       set_config('idle_in_transaction_session_timeout', '5000', true) as idle`;

// A transaction that cannot write fails with the third of them, and with it what is sent behind.
const BEGIN = `begin; ${SET_PATH}; set transaction isolation level read committed, read write`;

// Every name is schema-qualified: if the body has ended its transaction, the engine's search path is lost with it.
const IS_OPEN = `
select (pg_catalog.current_setting('sluice.body', true) operator(pg_catalog.=) $1::pg_catalog.text)::pg_catalog.text
         as "open"`;

/** Runs a body in a transaction that also records its result. */
export async function transact(
  session: Session,
  transactions: Transactions,
  request: TransactionRequest,
): Promise<TransactionVerdict> {
  const { signal } = request;
  // A connection that may still be about to commit.
  let doubtful: string | undefined;
  let losses = 0;
  let refusals = 0;
  const end = await session.persistence.attempt("write to", async () => {
    if (signal.aborted) return { threw: signal.reason as unknown };
    if (doubtful !== undefined) await session.outside(session.endConnection(doubtful));
    doubtful = undefined;
    let lent: Lent;
    try {
      lent = await transactions.take(signal, session.outside);
    } catch (error) {
      if (signal.aborted) return { threw: signal.reason as unknown };
      throw passing(error);
    }
    try {
      const { verdict, thrown, isAgain, isInDoubt, isLostInBody, isRefused } = await attempt(session, lent, request);
      if (isInDoubt) doubtful = lent.applicationName;
      if (isLostInBody && ++losses === MOST_LOSSES) {
        const often = `its connection ended ${losses} times while the body ran (${messageOf(thrown)})`;
        return { threw: endedByServer(session.name, often) };
      }
      // The settings of the body may be the cause, which the next body makes again.
      if (isRefused && ++refusals === MOST_LOSSES) return { threw: thrown };
      if (isAgain) throw passing(thrown);
      return verdict === undefined ? { threw: thrown } : verdict;
    } finally {
      lent.done();
    }
    // The body may wait for the very clock.
  }, false);
  if ("threw" in end) throw end.threw;
  if (end.kind !== "unrecorded") return end;
  const [row] = await session.persistence.attempt("read", async () => {
    try {
      return await session.single("read", LOOK, keyOf(request));
    } catch (error) {
      throw passing(error);
    }
  });
  return foundIn(row) ?? { kind: "fenced" };
}

/** `unrecorded` if the fence refused the row or the row exists already: the body's changes are rolled back. */
type TryVerdict = TransactionVerdict | { readonly kind: "unrecorded" };

/** The result of a single attempt. */
interface TryEnd {
  /** The verdict, if there is one. */
  readonly verdict?: TryVerdict;
  /** The error that was thrown. */
  readonly thrown?: unknown;
  /** Whether the attempt is to be repeated. */
  readonly isAgain?: boolean;
  /** Whether it may be committed despite the error. */
  readonly isInDoubt?: boolean;
  /** Whether the connection ended while the body ran. */
  readonly isLostInBody?: boolean;
  /** Whether the server refused a statement of the engine after the body. */
  readonly isRefused?: boolean;
}

async function attempt(session: Session, lent: Lent, request: TransactionRequest): Promise<TryEnd> {
  const { connection, applicationName } = lent;
  const { signal } = request;
  const token = crypto.randomUUID();
  const now: { at: "check" | "body" | "record" | "commit" } = { at: "check" };
  const since = performance.now();
  let limits: BodyLimits | undefined;
  let guard: GuardedTransaction | undefined;
  // A statement may take forever and would block the statements behind it, so the connection is abandoned.
  const abort = (): void => {
    if (now.at === "commit") return;
    connection.abandon();
    void session.endConnection(applicationName).catch(() => {});
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    const verdict = await work();
    if (now.at === "commit") session.wrote(1);
    else await rollback();
    return { verdict };
  } catch (thrown) {
    guard?.close();
    // A lost connection rolls back by itself, and so does a commit that failed.
    if (!connection.isLost && now.at !== "commit") await rollback().catch(() => {});
    if (signal.aborted && now.at !== "commit") return { thrown: signal.reason };
    if (connection.isLost) {
      const isLostInBody = (now.at === "body" || now.at === "record") && guard !== undefined && limits !== undefined;
      const limit = isLostInBody
        ? limitReached(limits!, { totalMs: performance.now() - since, idleMs: guard!.idleMs })
        : undefined;
      if (limit !== undefined) return { thrown: endedByServer(session.name, limit) };
      return { thrown: lost(thrown), isAgain: true, isInDoubt: now.at === "commit", isLostInBody };
    }
    // Of a statement of the engine, before or after the body: the error is not that of the body.
    if (isFromServer(thrown) && faultOf(thrown) !== "values" && guard?.failure === undefined) {
      if (now.at === "check") return { thrown, isAgain: true };
      if (now.at === "record") return { thrown, isAgain: true, isRefused: true };
    }
    const passed = passingIn(thrown);
    return passed === undefined ? { thrown } : { thrown: passed, isAgain: true };
  } finally {
    signal.removeEventListener("abort", abort);
  }

  async function work(): Promise<TryVerdict> {
    const row = await session.outside(begin());
    const found = foundIn(row);
    if (found !== undefined) return found;
    now.at = "body";
    limits = readBodyLimits(row);
    guard = guardTransaction({
      sql: connection.sql,
      whyLost: () => connection.whyLost,
      lost: connection.lost,
      sent: session.outsideForAMoment,
    });
    const record = await Promise.race([request.body(guard.tx), connection.lost]);
    guard.close();
    signal.throwIfAborted();
    return await session.outside(finish(record));
  }

  async function begin(): Promise<Row | undefined> {
    const [, [row]] = await Promise.all([
      connection.query(BEGIN, []),
      ask(CHECK, [...keyOf(request), token, backendPrefix(applicationName)]),
      connection.query(USERS_PATH, []),
    ]);
    return row;
  }

  async function finish(record: JournalRecord): Promise<TryVerdict> {
    now.at = "record";
    const [isOpen] = await ask(IS_OPEN, [token]);
    if (isOpen?.["open"] !== "true") throw endedError(session.name);
    const [, [answer]] = await Promise.all([
      ask(ENTER, []),
      ask(RECORD, [...keyOf(request), token, ...valuesOf(record)]),
      // Before the commit, which may execute triggers of the user's tables.
      ask(LEAVE, []),
    ]);
    if (answer?.["open"] !== "true") throw endedError(session.name);
    if (guard?.failure !== undefined) throw guard.failure.error;
    if (answer["recorded"] !== "1") return { kind: "unrecorded" };
    signal.throwIfAborted();
    now.at = "commit";
    request.committing();
    await connection.query("commit", []);
    return committed(record.output);
  }

  function rollback(): Promise<unknown> {
    return session.outside(connection.query("rollback", []));
  }

  async function ask(sql: string, values: readonly Bindable[]): Promise<readonly Row[]> {
    try {
      return await connection.query(session.textOf(sql), values);
    } catch (error) {
      throw firstOf(error, guard?.failure);
    }
  }
}

/** The verdict that is known before the body runs; `undefined` if the body must run. */
function foundIn(row: Row | undefined): TransactionVerdict | undefined {
  if (row?.["owned"] !== "1") return { kind: "fenced" };
  return row["recorded"] === "1" ? committed(row["output"]) : undefined;
}

function keyOf({ seq, task, epoch, item }: TransactionRequest): readonly string[] {
  return [String(seq), task, String(epoch), String(item)];
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
