/**
 * Commits batches of results. A batch becomes as few short statements as possible: starts alone or ends alone are a
 * single statement without a transaction; several statements are a single transaction, which is sent whole.
 *
 * A batch without a response may have been committed. It is sent again once the server has ended what remained of the
 * lost connection, and returns the verdicts of the first attempt: a run with the same id counts as started, an end with
 * the same epoch, state and time as accepted.
 *
 * @module
 */
import type { Batch, NewRun, Receipt, RunWrite, StartVerdict, WriteVerdict } from "../../port/batch.ts";
import type { OwnedChild } from "../../port/inserted_child.ts";
import { endingChildren, mayEnd } from "../../shared/hand_over.ts";
import { codeOf, faultOf, isNotifyQueueFull, refusal } from "../connect/faults.ts";
import type { BoundStatement } from "../connect/connection.ts";
import type { Answer } from "../connect/driver.ts";
import { type CancelRecorded, mayMeetCancel, resultOf, writeVerdicts } from "./flush_result.ts";
import { flushOf } from "./flush_values.ts";
import { lockedOf, type LockedRuns, RunsLocked, throwIfLocked, withLocked } from "./locked_runs.ts";
import type { News } from "./news.ts";
import { childrenOf, ownedChildren } from "./owned_children.ts";
import { halves, split } from "./parts.ts";
import { notStartedVerdict, startVerdicts } from "./start_verdicts.ts";
import type { Role, Session } from "../connect/session.ts";

/** How often runs are inserted anew of which each time another run had the key, and had freed it when it was looked up. */
const MOST_TRIES = 100;

const LOCK_TIMEOUT = `select set_config('lock_timeout', $1, true)`;

/**
 * Writes a batch. Ends of runs with a parent are a transaction of their own: together with locks on rows of other parents,
 * those that they take on their parents could deadlock with a commit of another runner.
 */
export async function commitBatch(session: Session, news: News, { batch, lockedRuns }: Lockable): Promise<Receipt> {
  const { starts, writes } = batch;
  const ending = new Set(endingChildren(writes));
  const isEnd = ({ seq, move }: RunWrite): boolean => mayEnd(move) && ending.has(seq);
  const ends = ending.size === 0 ? [] : writes.filter(isEnd);
  if (ends.length === 0 || ends.length === starts.length + writes.length) {
    return await commitUnlocked(session, news, { batch, lockedRuns });
  }
  const others = writes.filter((write) => !isEnd(write));
  const first = await commitUnlocked(session, news, { batch: { starts, writes: others }, lockedRuns });
  const second = await commitUnlocked(session, news, { batch: { starts: [], writes: ends }, lockedRuns });
  const [other, end] = [first.writes.values(), second.writes.values()];
  return {
    starts: first.starts,
    writes: writes.map((write) => (isEnd(write) ? end : other).next().value!),
    children: childrenOf(first, second),
  };
}

/** A batch, and the runs whose rows were locked when they were last written. */
interface Lockable {
  readonly batch: Batch;
  readonly lockedRuns: LockedRuns;
}

/**
 * Writes a batch. A run whose row stays locked by another transaction gets the verdict `locked`, and the others are
 * committed. When it is written again, the lock is only tested: its commit does not wait for it a second time.
 */
async function commitUnlocked(session: Session, news: News, { batch, lockedRuns }: Lockable): Promise<Receipt> {
  const suspects = batch.writes.filter(({ seq }) => lockedRuns.has(seq)).map(({ seq }) => seq);
  let locked: ReadonlySet<number> = new Set();
  if (suspects.length > 0) {
    locked = await session.persistence.attempt("read", () => lockedOf(session, suspects));
    for (const seq of suspects) if (!locked.has(seq)) lockedRuns.delete(seq);
    if (locked.size > 0) session.endAbandonedSoon();
  }
  for (;;) {
    const rest = { starts: batch.starts, writes: batch.writes.filter(({ seq }) => !locked.has(seq)) };
    try {
      return withLocked(batch, locked, await commitBy(session, news, rest, { role: "flush" }));
    } catch (error) {
      if (!(error instanceof RunsLocked)) throw error;
      for (const seq of error.seqs) lockedRuns.add(seq);
      locked = new Set([...locked, ...error.seqs]);
    }
  }
}

/** Inserts runs with keys; returns `undefined` and inserts nothing if a lock wait exceeds `lockTimeoutMs`. */
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

/** Thrown when a lock wait exceeds its limit. */
class LockTimeout extends Error {}

async function commitBy(session: Session, news: News, batch: Batch, options: AttemptOptions): Promise<Receipt> {
  if (batch.starts.length + batch.writes.length === 0) return { starts: [], writes: [] };
  try {
    return await attempt(session, news, batch, options);
  } catch (error) {
    if (faultOf(error) !== "values") throw error;
  }
  // The server refused a row; this isolates it.
  return await isolate(session, news, batch, { ...options, isWary: true });
}

interface AttemptOptions {
  /** The connection to use. */
  readonly role: Role;
  /** Whether rows that are marked as new may exist already. @default {false} */
  readonly isWary?: boolean;
  /** Longest wait for each lock, in milliseconds. @default {Infinity} */
  readonly lockTimeoutMs?: number | undefined;
  /** How often the runs were inserted before. @default {0} */
  readonly tries?: number;
}

function attempt(
  session: Session,
  news: News,
  batch: Batch,
  { role, isWary = false, lockTimeoutMs, tries = 0 }: AttemptOptions,
): Promise<Receipt> {
  const parts = split(batch);
  const wake = news.tell({ due: false, ended: false, attention: [] });
  return session.persistence.attempt("write to", async (isDoubtful) => {
    const told = news.of(batch);
    if (isDoubtful) await session.endRemains(role);
    const flushes = parts.map((part, index) =>
      flushOf(part, { at: session.at, isWary: isWary || isDoubtful, news: index === 0 ? told : null, wake })
    );
    const statements = flushes.flat();
    const answers = await send(session, { role, statements, lockTimeoutMs }).catch((error) => {
      if (isNotifyQueueFull(error)) news.pause();
      return isDoubtful ? Promise.reject(error) : throwIfLocked(session, batch.writes, error);
    });
    const starts: StartVerdict[] = [];
    const writes: WriteVerdict[] = [];
    const children: OwnedChild[] = [];
    let rows = 0;
    let at = 0;
    for (const [index, statements] of flushes.entries()) {
      const part = parts[index]!;
      const result = resultOf(statements, answers.slice(at, at += statements.length));
      rows += result.rows;
      const verdicts = await startVerdicts(session, part.starts, result.started, role);
      starts.push(...await startFreed(part.starts, verdicts));
      children.push(...await ownedChildren(session, part.writes, { answers: result.children, isDoubtful, role }));
      const written = await writeVerdicts(session, part.writes, { ...result, isDoubtful });
      writes.push(...await endCancelled(part.writes, written));
    }
    session.wrote(rows);
    return { starts, writes, children };
  });

  /** Inserts anew the runs whose key another run had, and has freed in the meantime. */
  async function startFreed(
    starts: readonly NewRun[],
    verdicts: ReadonlyMap<string, StartVerdict>,
  ): Promise<readonly StartVerdict[]> {
    const freed = starts.filter(({ id, keyScope }) => keyScope === "active" && !verdicts.has(id));
    const again = freed.length === 0 || tries === MOST_TRIES
      ? []
      : (await attempt(session, news, { starts: freed, writes: [] }, { role, isWary, lockTimeoutMs, tries: tries + 1 }))
        .starts;
    const inserted = new Map(freed.map(({ id }, at) => [id, again[at]]));
    return starts.map((run) => verdicts.get(run.id) ?? inserted.get(run.id) ?? notStartedVerdict(session, run));
  }

  /** Ends as cancelled the runs whose end a recorded cancel prevented; their rows may be written already. */
  async function endCancelled(
    written: readonly RunWrite[],
    verdicts: readonly (WriteVerdict | CancelRecorded)[],
  ): Promise<readonly WriteVerdict[]> {
    const ended: WriteVerdict[] = [];
    for (const [index, verdict] of verdicts.entries()) {
      if (typeof verdict === "string" || !("reasonToCancel" in verdict)) {
        ended.push(verdict);
        continue;
      }
      const { move, parentHeldAs: _, ...write } = written[index]!;
      const { reasonToCancel: reason, isCompensating } = verdict;
      const cancelled = { to: "cancelled", at: mayMeetCancel(move) ? move.at : 0, reason } as const;
      const compensating = { to: "compensating", end: { state: "cancelled", reason } } as const;
      const cancel = { ...write, move: isCompensating ? compensating : cancelled };
      const again = await attempt(session, news, { starts: [], writes: [cancel] }, { role, isWary: true });
      const done = { cancelled: { reason, ...(isCompensating ? { isCompensating } : {}) } };
      ended.push(again.writes[0] === "accepted" ? done : "fenced");
    }
    return ended;
  }
}

interface Sending extends AttemptOptions {
  /** The statements, in order. */
  readonly statements: readonly BoundStatement[];
}

/** Sends statements; several are a single transaction. */
async function send(
  session: Session,
  { role, statements, lockTimeoutMs }: Sending,
): Promise<readonly Answer[]> {
  const [first] = statements;
  if (first === undefined) return [];
  if (lockTimeoutMs !== undefined) {
    try {
      const limit = { sql: LOCK_TIMEOUT, values: [String(lockTimeoutMs)] };
      return (await session.pipeline(role, [limit, ...statements])).slice(1);
    } catch (error) {
      throw codeOf(error) === "55P03" ? new LockTimeout() : error;
    }
  }
  return statements.length > 1
    ? await session.pipeline(role, statements)
    : [await session.single(role, first.sql, first.values)];
}

/** Halves a part until the refused item is alone. */
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
  return {
    starts: [...one.starts, ...other.starts],
    writes: [...one.writes, ...other.writes],
    children: childrenOf(one, other),
  };
}
