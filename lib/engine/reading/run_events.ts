import { systemClock } from "../../clock.ts";
import { newChecks, shown } from "../../definition/checks.ts";
import type { ClientContext } from "../client/client_context.ts";
import { eventsBetween, NOTHING_SEEN, seenOf } from "./derived_events.ts";
import type { ExecutionEvent } from "./events.ts";
import { refuse } from "../options.ts";
import { isOver } from "./run_reader.ts";

/** A read that takes longer than this is not repeated at once, as the cost of a read grows with the run. */
const CHEAP_READ_MS = 2;
/** After a costly read the iterator pauses for this multiple of its duration. */
const REST_FACTOR = 10;

/** Options of `events()`. */
export interface EventsOptions {
  /** Ends the iterator when it aborts: the pending `next()`, or else the following one, rejects with its reason. */
  readonly signal?: AbortSignal;
}

type Result = IteratorResult<ExecutionEvent, void>;

const DONE: Result = { done: true, value: undefined };

/**
 * Yields the events of a run from its start to its end. They are derived from the rows of the run, so every process sees
 * the same ones. An event between two reads, such as the start of a fast task, is yielded with the next read, in order.
 *
 * This is not a generator, as the `return()` of a generator waits until its `next()` has settled. Rows are read only while
 * a `next()` is pending, and only after the run has changed: an iterator that its caller has forgotten costs nothing.
 *
 * @throws {TypeError} If an option is invalid.
 */
export function runEvents(
  runId: string,
  { reader, watcher, clock }: Pick<ClientContext, "reader" | "watcher" | "clock">,
  options?: unknown,
): AsyncIterableIterator<ExecutionEvent, void, void> {
  const signal = signalOf(runId, options);
  const waiting: PromiseWithResolvers<Result>[] = [];
  let unread: readonly ExecutionEvent[] = [];
  let delivered = 0;
  let seen = NOTHING_SEEN;
  let hasChanged = true;
  let isReading = false;
  // Nothing is to be read any more.
  let isComplete = false;
  let isOpen = false;
  let isClosed = false;
  // Thrown by the next `next()`.
  let failure: { readonly reason: unknown } | undefined;
  let unsubscribe = (): void => {};
  let endRest = (): void => {};
  return {
    next() {
      if (!isOpen) open();
      const result = Promise.withResolvers<Result>();
      waiting.push(result);
      if (isClosed) settleClosed();
      else void advance();
      return result.promise;
    },
    return() {
      failure = undefined;
      close();
      return Promise.resolve(DONE);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };

  function open(): void {
    isOpen = true;
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort, { once: true });
    unsubscribe = watcher.subscribe(runId, (isEnd) => {
      hasChanged = true;
      isComplete ||= isEnd;
      void advance();
    });
  }

  async function advance(): Promise<void> {
    deliver();
    if (isReading) return;
    isReading = true;
    try {
      while (!isClosed && waiting.length > 0) {
        if (isComplete) return close();
        if (!hasChanged) return;
        hasChanged = false;
        await read();
      }
    } catch (reason) {
      fail(reason);
    } finally {
      isReading = false;
    }
  }

  async function read(): Promise<void> {
    const began = performance.now();
    const row = await reader.row(runId);
    // A run may start between the two reads: its tasks are read after the row that says so.
    const tasks = row.startedAt === undefined && !isOver(row.state) ? [] : await reader.tasks(row);
    if (isClosed) return;
    unread = eventsBetween(seen, row, tasks);
    delivered = 0;
    seen = seenOf(row, tasks);
    isComplete ||= isOver(row.state);
    const costMs = performance.now() - began;
    deliver();
    if (costMs > CHEAP_READ_MS && !isComplete) await rest(costMs * REST_FACTOR);
  }

  function deliver(): void {
    while (waiting.length > 0 && delivered < unread.length) {
      waiting.shift()!.resolve({ done: false, value: unread[delivered++]! });
    }
  }

  // Uses the clock of the machine, whatever clock the store has: the pause limits the load of the machine.
  async function rest(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.outside?.(promise);
    const cancel = systemClock.after(ms, resolve);
    endRest = resolve;
    await promise;
    cancel();
  }

  function abort(): void {
    fail(signal?.reason);
  }

  function fail(reason: unknown): void {
    if (isClosed) return;
    failure = { reason };
    close();
  }

  function close(): void {
    isClosed = isOpen = true;
    unread = [];
    unsubscribe();
    endRest();
    signal?.removeEventListener("abort", abort);
    settleClosed();
  }

  function settleClosed(): void {
    const first = failure === undefined ? undefined : waiting.shift();
    if (first !== undefined) {
      first.reject(failure?.reason);
      failure = undefined;
    }
    for (const { resolve } of waiting.splice(0)) resolve(DONE);
  }
}

function signalOf(runId: string, options: unknown): AbortSignal | undefined {
  if (options === undefined) return undefined;
  const checks = newChecks();
  const { signal } = checks.options(options, "the options", ["signal"]);
  const isSignal = signal instanceof AbortSignal;
  if (signal !== undefined && !isSignal) checks.report(`signal must be an AbortSignal, not ${shown(signal)}`);
  refuse(`read the events of run "${runId}"`, checks);
  return isSignal ? signal : undefined;
}
