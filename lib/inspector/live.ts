/**
 * Notifies browsers of changes by server-sent events; they then fetch the page. One reader serves all of them, and only
 * while any is connected: it reads about once a second, sooner after a hint, and less often if a read is expensive.
 * Nothing is queued for a slow browser: it receives one event, however many changes there were.
 *
 * @module
 */
import { systemClock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/port/store.ts";

/** The shared reader. */
export interface Live {
  /**
   * The events of a run, or (`undefined`) of all lists, as the body of a response: `changed` when the state differs from
   * `seen`, which `mark()` returned, and `ended` when nothing can change any more. `undefined` if too many are open.
   */
  open(runId: string | undefined, seen: string | undefined): ReadableStream<Uint8Array> | undefined;
  /** Stands for how a run, or all lists, are now. */
  mark(runId: string | undefined): Promise<string>;
  /** How many streams are open. */
  readonly size: number;
}

/** Intervals, which tests shorten. */
export interface LiveTimes {
  /** Between two looks. */
  readonly lookMs: number;
  /** Between a hint and a look, at least. */
  readonly hintMs: number;
  /** Between two signs of life. */
  readonly beatMs: number;
  /** How long a browser may take nothing. */
  readonly patienceMs: number;
}

/** Intervals. Heartbeats are frequent because Bun closes a connection that was silent for ten seconds. */
export const LIVE_TIMES: LiveTimes = { lookMs: 1_000, hintMs: 250, beatMs: 5_000, patienceMs: 60_000 };

// Reads may take this fraction of the time.
const REST_FACTOR = 20;

/** Each stream costs a connection and a few hundred bytes. */
const MOST_STREAMS = 10_000;

/** The most runs that are read at once; if more are watched, they take turns. */
const MOST_RUNS = 200;

interface Watcher {
  readonly runId: string | undefined;
  seen: string | undefined;
  /** What it is to be told. */
  news: "changed" | "ended" | "beat" | undefined;
  /** When it took something last. */
  takenAt: number;
  /** Wakes its stream. */
  wake: (() => void) | undefined;
  /** Ends its stream. */
  readonly end: () => void;
}

/** Creates the shared reader of a store. It reads nothing until a stream is open. */
export function createLive(store: Store, logger: Logger, times: LiveTimes = LIVE_TIMES): Live {
  const { inspection } = store;
  const watchers = new Set<Watcher>();
  const text = new TextEncoder();
  let unwatch: (() => void) | undefined;
  let cancelLook: (() => void) | undefined;
  let cancelBeat: (() => void) | undefined;
  let lookedAt = -Infinity;
  let lookMs = 0;
  let isLooking = false;
  let turn = 0;
  return {
    open,
    mark: async (runId) => {
      if (runId === undefined) return markOf(await inspection.pulse());
      return markOf((await inspection.pulses([runId])).get(runId)?.text ?? "");
    },
    get size() {
      return watchers.size;
    },
  };

  function open(runId: string | undefined, seen: string | undefined): ReadableStream<Uint8Array> | undefined {
    if (watchers.size >= MOST_STREAMS) return undefined;
    let watcher: Watcher | undefined;
    return new ReadableStream<Uint8Array>({
      start(controller) {
        watcher = { runId, seen, news: "beat", takenAt: performance.now(), wake: undefined, end };
        watchers.add(watcher);
        begin();

        function end(): void {
          try {
            controller.close();
          } catch {
            // It was cancelled.
          }
        }
      },
      async pull(controller) {
        const one = watcher!;
        if (one.news === undefined) await new Promise<void>((resolve) => one.wake = resolve);
        const { news } = one;
        if (news === undefined) return;
        one.news = undefined;
        one.takenAt = performance.now();
        controller.enqueue(text.encode(news === "beat" ? ":\n\n" : `event: ${news}\ndata: {"at":${store.now()}}\n\n`));
        if (news === "ended") drop(one);
      },
      cancel() {
        if (watcher !== undefined) drop(watcher);
      },
    }, { highWaterMark: 0 });
  }

  function tell(watcher: Watcher, news: "changed" | "ended" | "beat"): void {
    if (watcher.news === "ended" || (news === "beat" && watcher.news !== undefined)) return;
    watcher.news = news;
    watcher.wake?.();
    watcher.wake = undefined;
  }

  function drop(watcher: Watcher): void {
    watchers.delete(watcher);
    watcher.wake?.();
    watcher.end();
    if (watchers.size === 0) rest();
  }

  function begin(): void {
    unwatch ??= store.watch(soon);
    cancelBeat ??= systemClock.after(times.beatMs, beat, true);
    cancelLook ??= systemClock.after(Math.min(times.hintMs, times.lookMs), () => void look(), true);
  }

  function rest(): void {
    unwatch?.();
    cancelLook?.();
    cancelBeat?.();
    unwatch = cancelLook = cancelBeat = undefined;
  }

  function beat(): void {
    const now = performance.now();
    for (const watcher of [...watchers]) {
      const isGone = watcher.news !== undefined && now - watcher.takenAt > times.patienceMs;
      if (isGone) drop(watcher);
      else tell(watcher, "beat");
    }
    if (watchers.size > 0) cancelBeat = systemClock.after(times.beatMs, beat, true);
  }

  function soon(): void {
    if (isLooking || watchers.size === 0) return;
    arm(times.hintMs);
  }

  /** Hints that keep coming do not put a look off: it is always so long after the last one. */
  function arm(ms: number): void {
    cancelLook?.();
    const restMs = Math.max(ms, lookMs * REST_FACTOR) - (performance.now() - lookedAt);
    cancelLook = systemClock.after(Math.max(0, restMs), () => void look(), true);
  }

  async function look(): Promise<void> {
    isLooking = true;
    lookedAt = performance.now();
    try {
      await lookAtLists();
      await lookAtRuns();
    } catch (error) {
      // A store that fails permanently was closed with its runner or client.
      logger.debug("Cannot detect changes; live streams are closed and browsers reconnect", { error: String(error) });
      for (const watcher of [...watchers]) drop(watcher);
    }
    lookMs = performance.now() - lookedAt;
    isLooking = false;
    if (watchers.size > 0) arm(times.lookMs);
  }

  async function lookAtLists(): Promise<void> {
    const lists = [...watchers].filter(({ runId }) => runId === undefined);
    if (lists.length === 0) return;
    const mark = markOf(await inspection.pulse());
    for (const watcher of lists) compare(watcher, mark);
  }

  async function lookAtRuns(): Promise<void> {
    const ids = [...new Set([...watchers].flatMap(({ runId }) => runId ?? []))];
    if (ids.length === 0) return;
    turn = turn >= ids.length ? 0 : turn;
    const some = new Set(ids.slice(turn, turn + MOST_RUNS));
    turn += MOST_RUNS;
    const pulses = await inspection.pulses([...some]);
    for (const watcher of [...watchers]) {
      if (watcher.runId === undefined || !some.has(watcher.runId)) continue;
      const pulse = pulses.get(watcher.runId);
      if (pulse === undefined || pulse.isOver) tell(watcher, "ended");
      else compare(watcher, markOf(pulse.text));
    }
  }

  function compare(watcher: Watcher, mark: string): void {
    if (watcher.seen !== undefined && watcher.seen !== mark) tell(watcher, "changed");
    watcher.seen = mark;
  }
}

/** A hash of a text (FNV-1a, 32 bits). */
function markOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}
