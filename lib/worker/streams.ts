/**
 * Events that a worker pulls: a worker that does not pull costs no memory.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { count, refuse } from "../engine/options.ts";
import { newChecks } from "../definition/checks.ts";
import type { Members } from "./protocol.ts";

const MOST_EVENTS = 1_000;
const DEFAULT_EVENTS = 100;

/** Events of the runs of a runner that are kept until the worker takes them. */
const MOST_KEPT = 10_000;

/** The events of one run. */
export interface EventStream {
  /** Returns at least one event and at most `max`, unless there are no more. */
  next(max: number): Promise<Members>;
  /** Ends the stream; a pending `next` returns. */
  close(): void;
}

/** Pulls events of a run. */
export function createEventStream(events: AsyncIterableIterator<unknown, void, void>): EventStream {
  let pending: Promise<IteratorResult<unknown, void>> | undefined;
  let isPulling = false;
  return {
    async next(max) {
      if (isPulling) throw new TypeError("Cannot pull events: another pull of the stream is unanswered");
      isPulling = true;
      try {
        return await pull(max);
      } finally {
        isPulling = false;
      }
    },
    close: () => void events.return?.(),
  };

  async function pull(max: number): Promise<Members> {
    const pulled: unknown[] = [];
    while (pulled.length < max) {
      pending ??= events.next();
      // Not longer than for the first: what comes later is pulled by the next call.
      const result = pulled.length === 0 ? await pending : await Promise.race([pending, setImmediate(undefined)]);
      if (result === undefined) break;
      pending = undefined;
      if (result.done === true) return { events: pulled, done: true };
      pulled.push(result.value);
    }
    return { events: pulled, done: false };
  }
}

/** The events of all runs of a runner. */
export interface ObservedEvents {
  /** Keeps an event. */
  add(event: unknown): void;
  /** Returns at least one event and at most `max`, and how many were left out before them; none after `close`. */
  next(max: number): Promise<Members>;
  /** A pending `next` returns. */
  close(): void;
}

/** Keeps the latest events until they are pulled. */
export function createObservedEvents(mostKept: number = MOST_KEPT): ObservedEvents {
  let kept: unknown[] = [];
  let missed = 0;
  let isClosed = false;
  let changed = Promise.withResolvers<void>();
  return {
    add(event) {
      kept.push(event);
      // In blocks, as a shift of each element would cost more than the event.
      if (kept.length >= 2 * mostKept) {
        missed += kept.length - mostKept;
        kept = kept.slice(-mostKept);
      }
      changed.resolve();
    },
    async next(max) {
      while (kept.length === 0 && !isClosed) {
        changed = Promise.withResolvers();
        await changed.promise;
      }
      const events = kept.slice(0, max);
      kept = kept.slice(max);
      const result = { events, missed };
      missed = 0;
      return result;
    },
    close() {
      isClosed = true;
      changed.resolve();
    },
  };
}

/** Reads how many events are pulled at most. */
export function readMax(value: unknown): number {
  const checks = newChecks();
  const max = count(value, "max", DEFAULT_EVENTS, checks);
  if (max > MOST_EVENTS) checks.report(`max must be at most ${MOST_EVENTS}, not ${max}`);
  refuse("pull events", checks);
  return max;
}
