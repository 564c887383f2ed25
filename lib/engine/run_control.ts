import type { Clock } from "../clock.ts";
import { RunCancelledError, RunTimeoutError } from "../errors.ts";
import type { InboxEntry } from "../store/runners.ts";
import { toErrorRecord } from "./error_record.ts";
import type { Closing, LiveRun, LiveUnit } from "./live_run.ts";
import type { MachineEvent } from "./machine_protocol.ts";

/** Bodies get so long to settle after they were aborted. */
export const GRACE_MS = 5_000;

/** What the control of runs needs of an executor. */
export interface RunControlOptions {
  /** The runs in memory, by number. */
  readonly runs: ReadonlyMap<number, LiveRun>;
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** Passes an event to the state machine and carries out its commands. */
  readonly apply: (run: LiveRun, event: MachineEvent<LiveUnit>) => void;
  /** Gives up the attempts of a run that wait for a slot. */
  readonly abandonQueued: (run: LiveRun) => void;
  /** Acknowledges the changes from outside that were applied. */
  readonly acknowledge: (run: LiveRun) => void;
}

/** Applies to runs in memory what reaches them from outside: cancel, pause, resume and their deadline. */
export interface RunControl {
  /** Starts a run that was loaded, unless its deadline has passed. */
  begin(run: LiveRun): void;
  /** Applies changes from outside, and acknowledges them. */
  applyChanges(inbox: readonly InboxEntry[]): void;
}

/** A control for the runs of an executor. */
export function createRunControl(options: RunControlOptions): RunControl {
  const { runs, clock, now, apply } = options;
  // Changes of runs that are not in memory: a claim or a start is in flight that will bring them.
  let early = new Map<number, InboxEntry>();
  return {
    begin(run) {
      // Before anything of it starts once more.
      if (run.deadlineAt !== undefined && run.deadlineAt <= now()) return timeOut(run);
      if (run.deadlineAt !== undefined) setDeadline(run, run.deadlineAt);
      const change = early.get(run.seq);
      if (change !== undefined) applyChange(run, change);
      apply(run, { type: "started" });
    },
    applyChanges(inbox) {
      early = new Map();
      for (const change of inbox) {
        const run = runs.get(change.seq);
        if (run === undefined) early.set(change.seq, change);
        else applyChange(run, change);
      }
    },
  };

  function applyChange(run: LiveRun, { attention, cancel, paused }: InboxEntry): void {
    // The write that takes the run out of memory is in flight; the store compares `attention` then.
    if (run.isLeaving || attention <= run.seen) return;
    run.seen = attention;
    if (paused) pause(run);
    else if (run.pausedAt !== undefined) resume(run, run.pausedAt);
    if (cancel !== undefined) {
      const cause = new RunCancelledError(run.id, cancel.reason);
      close(run, "cancelled", { cause, reason: cancel.reason, error: undefined });
    }
    options.acknowledge(run);
  }

  function pause(run: LiveRun): void {
    run.pausedAt ??= now();
    run.timers?.get("deadline")?.();
    apply(run, { type: "paused" });
    options.abandonQueued(run);
  }

  // The time of a paused run stands still.
  function resume(run: LiveRun, pausedAt: number): void {
    run.pausedAt = undefined;
    if (run.deadlineAt !== undefined) setDeadline(run, run.deadlineAt += now() - pausedAt);
    apply(run, { type: "resumed" });
  }

  function timeOut(run: LiveRun): void {
    const cause = new RunTimeoutError(run.id, run.timeoutMs ?? 0);
    close(run, "failed", { cause, reason: undefined, error: toErrorRecord(cause) });
  }

  function close(run: LiveRun, as: "cancelled" | "failed", closing: Closing): void {
    if (run.isLeaving || run.closing !== undefined || run.state.phase === "ended") return;
    run.closing = closing;
    setTimer(run, "grace", GRACE_MS, () => apply(run, { type: "graceElapsed" }));
    apply(run, { type: "stopRequested", as });
  }

  function setDeadline(run: LiveRun, at: number): void {
    setTimer(run, "deadline", at - now(), () => timeOut(run));
  }

  function setTimer(run: LiveRun, name: "deadline" | "grace", ms: number, fire: () => void): void {
    run.timers ??= new Map();
    run.timers.get(name)?.();
    run.timers.set(name, clock.after(Math.max(0, ms), fire));
  }
}
