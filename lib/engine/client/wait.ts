import { newChecks, shown } from "../../definition/checks.ts";
import type { Duration } from "../../duration.ts";
import { RunNotFoundError } from "../../errors.ts";
import { SluiceError } from "../../sluice_error.ts";
import type { ClientContext } from "./client_context.ts";
import { refuse } from "../options.ts";
import type { RunEnd } from "../runs/run_end.ts";
import { isOver } from "../reading/run_reader.ts";

/** Options of a wait for the end of a run. Neither of them affects the run. */
export interface WaitOptions {
  /** Rejects with a `WaitTimeoutError` after this time. @default {undefined} no maximum */
  readonly timeout?: Duration;
  /** Rejects with the reason of the signal when it aborts. */
  readonly signal?: AbortSignal;
}

/** A run did not end within the `timeout` of `result()` or `outcome()`. The run continues. */
export class WaitTimeoutError extends SluiceError {
  /** Name of the class. */
  override name = "WaitTimeoutError";
  /** Stable code for programs. */
  declare readonly code: "wait_timeout";
  /** Id of the run. */
  readonly runId: string;
  /** The timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Creates an error for a wait that timed out. */
  constructor(runId: string, timeoutMs: number) {
    super("wait_timeout", `Run "${runId}" did not end within ${timeoutMs} ms; the run continues`);
    this.runId = runId;
    this.timeoutMs = timeoutMs;
  }
}

/** A run to wait for. */
export interface RunRef {
  readonly id: string;
  /** Its number, if it is known: then the row of a run in memory is not read. */
  readonly seq?: number | undefined;
  /** Whether only its result is wanted: no other output of a run that is not in memory is read. @default {undefined} */
  readonly wanted?: "result";
}

/**
 * Waits until a run ends, then returns its end.
 *
 * @throws {RunNotFoundError} If the run does not exist.
 * @throws {ShutdownError} If the runner or client is stopped before the run has ended.
 * @throws {WaitTimeoutError} If the timeout elapses before.
 * @throws {TypeError} If an option is invalid.
 */
export function waitForEnd(context: ClientContext, run: RunRef, options?: unknown): Promise<RunEnd> {
  if (options !== undefined) return waitOrStop(context, run, options);
  return endOf(context, run, context.watcher.waitForEnd(run.id));
}

async function waitOrStop(context: ClientContext, run: RunRef, options: unknown): Promise<RunEnd> {
  const { id } = run;
  const { timeoutMs, signal } = waitSettings(id, options);
  signal?.throwIfAborted();
  const watched = context.watcher.waitForEnd(id);
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const stopTimer = timeoutMs === undefined
    ? undefined
    : context.clock.after(timeoutMs, () => reject(new WaitTimeoutError(id, timeoutMs)));
  try {
    return await Promise.race([endOf(context, run, watched), stopped]);
  } catch (error) {
    context.watcher.stopWaiting(id, watched);
    throw error;
  } finally {
    stopTimer?.();
    signal?.removeEventListener("abort", abort);
  }
}

/** Resolves with the end of a run whose end is watched already: an end before the row is read would be missed otherwise. */
async function endOf(context: ClientContext, run: RunRef, watched: Promise<RunEnd | undefined>): Promise<RunEnd> {
  const { id, seq, wanted } = run;
  // A run in memory has not ended. To read its row would cost as much as a fifth of a short run.
  const isHeld = seq !== undefined && context.runner?.holds(seq) === true;
  const stored = isHeld ? undefined : await storedEnd(context, run, watched);
  return stored ?? await watched ?? await context.reader.end(await context.reader.row(id), wanted);
}

/** Returns the end of a run that has ended according to the store. */
async function storedEnd(
  context: ClientContext,
  { id, wanted }: RunRef,
  watched: Promise<RunEnd | undefined>,
): Promise<RunEnd | undefined> {
  // Not awaited if the row has an end already, or cannot be read.
  watched.catch(() => {});
  const row = await context.store.run(id);
  if (row !== undefined && !isOver(row.state)) return undefined;
  // Other callers may wait for the same run.
  context.watcher.reportStoredEnd(id);
  if (row === undefined) throw new RunNotFoundError(id);
  return await context.reader.end(row, wanted);
}

function waitSettings(
  id: string,
  options: unknown,
): { readonly timeoutMs: number | undefined; readonly signal: AbortSignal | undefined } {
  if (options === undefined) return { timeoutMs: undefined, signal: undefined };
  const checks = newChecks();
  const { timeout, signal } = checks.options(options, "the options", ["timeout", "signal"]);
  const timeoutMs = checks.timeout(timeout, "timeout");
  const isSignal = signal instanceof AbortSignal;
  if (signal !== undefined && !isSignal) checks.report(`signal must be an AbortSignal, not ${shown(signal)}`);
  refuse(`wait for run "${id}"`, checks);
  return { timeoutMs, signal: isSignal ? signal : undefined };
}
