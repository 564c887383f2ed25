/**
 * Fires the schedules of a runner. It sleeps until the first of them is due, reads the rows of those that are, and writes
 * each with the runs that it starts, if no other runner has: all runners with a schedule do so, and none leads.
 *
 * Rows that this runner does not change itself are read again when they are due here, and if another process has changed
 * them (paused, resumed, registered anew) with the next poll.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { afterIdle, type Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { Store } from "../../store/port/store.ts";
import type { ScheduleRow, ScheduleVerdict, ScheduleWrite } from "../../store/port/schedules.ts";
import { createDueQueue } from "./due_queue.ts";

/** How often a runner reads the schedules that other processes have changed; an idle runner stays below a statement per second. */
const POLL_MS = 20_000;

/** How far the clocks of processes and the commits of their writes may be apart. */
const OVERLAP_MS = 10_000;

/** Schedules that one commit advances. */
const AT_ONCE = 100;

const RETRY_MS = 1_000;

/** When to look at a row. */
export interface Look {
  /** The time; `undefined` for never. */
  readonly at: number | undefined;
  /** A run after whose end, too. @default {undefined} none */
  readonly waitsFor?: string | undefined;
}

/** A change of a row that is ready to be written. */
export interface Step {
  /** What is to be written; `undefined` if nothing is to be done before the next look. */
  readonly write: ScheduleWrite | undefined;
  /** When to look at the row again. */
  readonly next: Look;
  /** Called with the result of the write. */
  readonly done?: (verdict: ScheduleVerdict) => void;
}

/** What a scheduler needs of its runner. */
export interface SchedulerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** When each schedule or poll of the runner must first be checked. */
  readonly firstLooks: ReadonlyMap<string, Look>;
  /** Prepares a step; one that takes time delays no other schedule. It must not throw. */
  readonly prepare: (row: ScheduleRow) => Step | Promise<Step>;
  /** Called when the scheduler is to stop: steps that take time are to end. */
  readonly stopping: () => void;
  /** Resolves when a run has ended; rejects when the runner is stopped. */
  readonly waitForEnd: (runId: string) => Promise<unknown>;
}

/** Fires the schedules of a runner. */
export interface Scheduler {
  /** Looks at a schedule at once: its row was changed by this process. */
  look(name: string): void;
  /** Ends all timers; resolves when no write is in flight. */
  stop(): Promise<void>;
}

/** Creates a scheduler. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { store, clock, logger, prepare } = options;
  const queue = createDueQueue();
  const names = new Set(options.firstLooks.keys());
  /** Schedules of which a step takes time. */
  const busy = new Set<string>();
  /** Runs whose ends are waited for. */
  const awaited = new Set<string>();
  const inFlight = new Set<Promise<void>>();
  let readSince = store.now() - OVERLAP_MS;
  let isStopped = false;
  let isFiring = false;
  let failure: string | undefined;
  let cancelTimer = () => {};
  let cancelPoll = () => {};
  for (const [name, { at, waitsFor }] of options.firstLooks) {
    queue.set(name, at);
    lookAfter(name, waitsFor);
  }
  if (names.size > 0) schedulePoll();
  sleep();
  return {
    look(name) {
      if (names.has(name)) hasten(name, store.now());
    },
    async stop() {
      isStopped = true;
      options.stopping();
      cancelTimer();
      cancelPoll();
      await Promise.allSettled(inFlight);
    },
  };

  function hasten(name: string, at: number): void {
    queue.hasten(name, at);
    sleep();
  }

  /** Sleeps until the first schedule is due. */
  function sleep(): void {
    cancelTimer();
    const { firstAt } = queue;
    if (isStopped || isFiring || firstAt === undefined) return;
    cancelTimer = clock.after(Math.max(0, firstAt - store.now()), () => track(fire()));
  }

  function track(work: Promise<void>): void {
    inFlight.add(work);
    void work.finally(() => inFlight.delete(work));
  }

  async function fire(): Promise<void> {
    if (isFiring || isStopped) return;
    isFiring = true;
    const due = queue.take(store.now(), AT_ONCE).filter((name) => !busy.has(name));
    try {
      if (due.length > 0) await advance(due);
      failure = undefined;
    } catch (error) {
      failed(error);
      for (const name of due) queue.hasten(name, store.now() + RETRY_MS);
    }
    isFiring = false;
    // In another turn of the event loop, as SQLite does all of it within this one.
    if (!isStopped) setImmediate(sleep);
  }

  async function advance(due: readonly string[]): Promise<void> {
    const steps: { readonly name: string; readonly step: Step }[] = [];
    for (const row of await store.schedules.read({ names: due })) {
      const { name } = row;
      const step = prepare(row);
      if (!(step instanceof Promise)) steps.push({ name, step });
      else {
        busy.add(name);
        track(step.then((step) => write([{ name, step }])).catch(failed).finally(() => settled(name)));
      }
    }
    await write(steps);
  }

  /** A step that took time has ended; checks what became due in the meantime. */
  function settled(name: string): void {
    busy.delete(name);
    hasten(name, store.now());
  }

  async function write(steps: readonly { readonly name: string; readonly step: Step }[]): Promise<void> {
    const writes = steps.flatMap(({ step: { write } }) => write === undefined ? [] : [write]);
    const verdicts = writes.length === 0 ? [] : await store.schedules.write(writes);
    const verdictOf = new Map(writes.map(({ name }, at) => [name, verdicts[at]!]));
    for (const { name, step } of steps) {
      const verdict = verdictOf.get(name);
      if (verdict !== undefined) step.done?.(verdict);
      // Another runner was first: its row says what is next.
      if (verdict?.kind === "conflict") queue.set(name, store.now());
      else {
        queue.set(name, step.next.at);
        lookAfter(name, step.next.waitsFor);
      }
    }
  }

  /** Looks at a schedule when a run has ended. */
  function lookAfter(name: string, runId: string | undefined): void {
    if (runId === undefined || awaited.has(runId) || isStopped) return;
    awaited.add(runId);
    void options.waitForEnd(runId).then(() => {
      awaited.delete(runId);
      hasten(name, store.now());
    }, () => awaited.delete(runId));
  }

  // Only polls find changes by other processes: a process that changes a schedule sends no notification.
  function schedulePoll(): void {
    cancelPoll = afterIdle(clock, POLL_MS, () => {
      track(readChanged());
      // The timer may be late: it stood still while the machine was suspended, or the clock was set.
      const { firstAt } = queue;
      if (firstAt !== undefined && firstAt - store.now() <= POLL_MS) sleep();
      schedulePoll();
    });
  }

  async function readChanged(): Promise<void> {
    const since = readSince;
    try {
      const readAt = store.now();
      const rows = await store.schedules.read({ changedSince: since });
      readSince = readAt - OVERLAP_MS;
      for (const { name, nextAt, state } of rows) {
        if (names.has(name) && state === "active" && nextAt !== undefined && !busy.has(name)) hasten(name, nextAt);
      }
    } catch (error) {
      failed(error);
    }
  }

  /** Logs once for each reason. */
  function failed(thrown: unknown): void {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    if (reason !== failure && !isStopped) {
      logger.error(`Cannot advance schedules: ${reason}; retrying in ${RETRY_MS / 1_000} s`);
    }
    failure = reason;
  }
}
