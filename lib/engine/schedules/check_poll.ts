/**
 * A check of a poll. The runner that wins the row leases it for as long as the check may take, so that no other checks
 * meanwhile, and writes the runs together with the cursor. If it dies, the row is due again when the lease is over.
 *
 * @module
 */
import { monotonicOf } from "../../clock.ts";
import { shown } from "../../definition/checks.ts";
import { decodeJson, encodeJson } from "../../definition/json.ts";
import type { NewRun } from "../../store/port/batch.ts";
import type { ScheduleRow, ScheduleWrite } from "../../store/port/schedules.ts";
import { textProblem } from "../../text_limits.ts";
import type { ClientContext } from "../client/client_context.ts";
import { thrownText } from "../errors/error_record.ts";
import { encodeInput } from "../client/start_options.ts";
import type { PollEntry } from "./entries.ts";
import { runLimitsOf } from "../limits/permit_request.ts";
import { scheduledRun } from "./scheduled_run.ts";
import { decodeProgress, type Progress } from "./stored.ts";

/** Runs that a check may start. */
const MOST_RUNS = 1_000;

/** How long a lease lasts beyond the time-out, for the write of the result. */
const MARGIN_MS = 10_000;

/** What a check comes to. */
export interface Checked {
  readonly write: ScheduleWrite;
  /** Why the check has failed; `undefined` if it has not. */
  readonly error: string | undefined;
  /** Whether the runner stopped before the check ended: another one repeats it. */
  readonly isAborted: boolean;
  /** How long it took, in milliseconds. */
  readonly checkedMs: number;
}

/** Leases the row of a poll and checks; `undefined` if another runner has the row. */
export async function checkPoll(
  entry: PollEntry,
  row: ScheduleRow,
  { context, stopped }: { readonly context: ClientContext; readonly stopped: AbortSignal },
): Promise<Checked | undefined> {
  const { store } = context;
  const { everyMs, timeoutMs } = entry.schedule;
  const checkedAt = store.now();
  const before: Progress = { ...decodeProgress(row), checkedAt };
  const lease = { ...row, nextAt: checkedAt + timeoutMs + MARGIN_MS, progress: JSON.stringify(before), runs: [] };
  const [verdict] = await store.schedules.write([lease]);
  if (verdict?.kind !== "written") return undefined;
  const leased = { ...row, revision: row.revision + 1 };
  const done = (progress: Progress, runs: readonly NewRun[] = []): ScheduleWrite => {
    const nextAt = stopped.aborted ? store.now() : Math.max(checkedAt + everyMs, store.now());
    return { ...leased, nextAt, runs, progress: JSON.stringify({ ...progress, nextTick: nextAt }) };
  };
  const monotonic = monotonicOf(context.clock);
  const beganAt = monotonic();
  const checkedMs = (): number => monotonic() - beganAt;
  try {
    const { runs, cursor } = await startsOf(entry, before, { context, stopped });
    const progress = { ...before, cursor, error: undefined, started: before.started + runs.length };
    return { write: done(progress, runs), error: undefined, isAborted: false, checkedMs: checkedMs() };
  } catch (thrown) {
    if (stopped.aborted) return { write: done(before), error: undefined, isAborted: true, checkedMs: checkedMs() };
    const message = thrownText(thrown);
    const error = { message, at: store.now() };
    const write = done({ ...before, error, failed: before.failed + 1 });
    return { write, error: message, isAborted: false, checkedMs: checkedMs() };
  }
}

async function startsOf(
  { schedule: { name, check, timeoutMs }, plan, stored }: PollEntry,
  { cursor: text }: Progress,
  { context, stopped }: { readonly context: ClientContext; readonly stopped: AbortSignal },
): Promise<{ readonly runs: readonly NewRun[]; readonly cursor: string | undefined }> {
  const { clock, maxPayloadBytes, newId, store } = context;
  const result = await within(
    (signal) => check({ cursor: decodeJson(text, "the cursor"), signal }),
    { clock, timeoutMs, stopped },
  );
  if (result === undefined || result === null) return { runs: [], cursor: text };
  const elements: readonly unknown[] = Array.isArray(result) ? result : [result];
  if (elements.length > MOST_RUNS) {
    throw new RangeError(`check returned ${elements.length} elements; return at most ${MOST_RUNS} and the rest later`);
  }
  const runs: NewRun[] = [];
  let cursor = text;
  for (const [at, element] of elements.entries()) {
    if (typeof element !== "object" || element === null) {
      throw new TypeError(
        `check returned ${shown(element)}; return { input, key?, cursor? }, an array of them, or nothing`,
      );
    }
    const { input, key, cursor: next } = element as Readonly<Record<string, unknown>>;
    if (next !== undefined) cursor = encodeJson(next, "cursor", maxPayloadBytes);
    if (!("input" in element)) continue;
    const action = `Cannot start a run of poll "${name}" with element ${at}`;
    const encoded = await encodeInput(plan, input, action, maxPayloadBytes);
    const dueAt = store.now();
    const limits = runLimitsOf(plan.workflow, encoded);
    const start = { schedule: name, tick: undefined, dueAt, input: encoded, limits, key: keyOf(key) };
    runs.push(scheduledRun(stored, start, newId));
  }
  return { runs, cursor };
}

function keyOf(key: unknown): string | undefined {
  if (key === undefined) return undefined;
  const problem = typeof key !== "string" || key === "" ? "must be text that is not empty" : textProblem(key, "key");
  if (problem !== undefined) throw new TypeError(`key ${problem}: ${shown(key)}`);
  return String(key);
}

/** Calls a function with a signal that aborts after the time-out, or when the runner stops; rejects then. */
async function within(
  call: (signal: AbortSignal) => unknown,
  { clock, timeoutMs, stopped }: {
    readonly clock: ClientContext["clock"];
    readonly timeoutMs: number;
    readonly stopped: AbortSignal;
  },
): Promise<unknown> {
  const aborted = Promise.withResolvers<never>();
  const controller = new AbortController();
  const abort = (reason: unknown): void => {
    controller.abort(reason);
    aborted.reject(reason);
  };
  const stop = (): void => abort(stopped.reason);
  const cancel = clock.after(timeoutMs, () => abort(new Error(`check has not returned within ${timeoutMs} ms`)));
  stopped.addEventListener("abort", stop, { once: true });
  if (stopped.aborted) stop();
  aborted.promise.catch(() => {});
  try {
    const called = Promise.resolve(call(controller.signal));
    // A rejection after the time-out is of no interest.
    called.catch(() => {});
    return await Promise.race([called, aborted.promise]);
  } finally {
    cancel();
    stopped.removeEventListener("abort", stop);
  }
}
