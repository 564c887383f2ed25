/**
 * Carries the runs this process owns through their tasks: it tells the state machine what happened and does what the
 * machine answers, with bodies, timers and the recorder.
 *
 * The order of things: what ends is recorded, and only when the record is durable are hooks called, dependents started
 * and waiters told.
 *
 * @module
 */
import { LeaseLostError, RunCancelledError, RunTimeoutError, ShutdownError } from "../errors.ts";
import type { RunMove } from "../store/batch.ts";
import type { StandingOrder } from "../store/port.ts";
import { afterFailure } from "./after_failure.ts";
import { type AttemptEnd, createBodies } from "./bodies.ts";
import { toErrorRecord, withFailure } from "./error_record.ts";
import { callHooks, hooksReturned } from "./hooks.ts";
import { type Attempt, type Closing, type LiveRun, newAttempt, tracedRun } from "./live_run.ts";
import { completed, type Effect, happen, type Happening, recorded as recordedTask } from "./machine.ts";
import type { ExecutorOptions } from "./executor_options.ts";
import { createRecorder } from "./recorder.ts";
import { endMove, type RunEnd, runEnd } from "./run_end.ts";
import { runStep } from "./steps.ts";
import { leaveOf, type RunLeave } from "./tracing.ts";
import { runTransaction } from "./transactions.ts";

/** Bodies get so long to settle after they were aborted. */
const GRACE_MS = 5_000;
/** A run that waits longer than this is let go of, and claimed again when it is due. */
const LONG_WAIT_MS = 5_000;
/** Timers of a run that are no task's. */
const DEADLINE = -1;
const GRACE = -2;

/** Executes runs. */
export interface Executor {
  /** How many runs it holds. */
  readonly size: number;
  /** The ids of these. */
  readonly ids: ReadonlySet<string>;
  /** Bodies that run and bodies that wait for a place. */
  readonly load: { readonly active: number; readonly queued: number };
  /** Whether a task waits for one of the places for bodies. */
  isQueued(runId: string, taskId: string): boolean;
  /** With how many crashes the runs that it holds have come. */
  readonly crashes: readonly number[];
  /** Takes in a run this process owns. */
  adopt(run: LiveRun): void;
  /** Does what was ordered; what is paused here and not in the list is resumed. */
  obey(orders: readonly StandingOrder[]): void;
  /** Gives up all runs: they are another runner's. */
  loseAll(): void;
  /** Starts nothing new, lets bodies finish for at most `timeoutMs`, then aborts them; hands back what is left. */
  drain(timeoutMs: number): Promise<void>;
}

/** An executor without runs. */
export function createExecutor(options: ExecutorOptions): Executor {
  const { clock, now, logger, outbox, events } = options;
  const runs = new Map<number, LiveRun>();
  const finishing = new Set<Promise<void>>();
  // Since when: the time of a run stands still while it is paused.
  const paused = new Map<LiveRun, number>();
  let isStopping = false;
  let quiet: (() => void) | undefined;
  const recorder = createRecorder({
    outbox,
    clock,
    now,
    active: () => bodies.active,
    recorded,
    touched: (run) => options.touched(run.id),
    left,
    gaveUp,
    lost: lose,
  });
  const bodies = createBodies({
    ...options,
    began,
    admit({ run, task }) {
      tell(run, { type: "admitted", task });
      return recorder.durable(run);
    },
    transact: (attempt, body) => runTransaction(attempt, body, options.transact, now),
    ended,
    step: (attempt, name, body) => runStep(attempt, name, body, { recorder, ...options }),
    progress(attempt, progress) {
      attempt.progress = JSON.stringify(progress);
      attempt.isMarked = false;
      events.progress(attempt, progress);
    },
  });
  return {
    get size() {
      return runs.size;
    },
    get ids() {
      return new Set([...runs.values()].map((run) => run.id));
    },
    get load() {
      return { active: bodies.active.length, queued: bodies.queued };
    },
    get crashes() {
      return [...runs.values()].map((run) => run.crashes);
    },
    isQueued: bodies.isQueued,
    adopt,
    obey,
    loseAll() {
      for (const run of [...runs.values()]) lose(run);
    },
    drain,
  };

  function adopt(run: LiveRun): void {
    if (isStopping) return;
    runs.set(run.seq, run);
    run.trace = options.tracing?.follow(tracedRun(run));
    events.run(run, run.epoch > 1 ? "run.resumed" : "run.started");
    // Before anything of it starts once more.
    if (run.deadlineAt !== undefined && run.deadlineAt <= now()) return overrun(run);
    if (run.deadlineAt !== undefined) setDeadline(run, run.deadlineAt);
    tell(run, { type: "begun" });
  }

  function setDeadline(run: LiveRun, at: number): void {
    setTimer(run, DEADLINE, at - now(), () => overrun(run));
  }

  /** Something happened to a run: asks the machine and does what it says. */
  function tell(run: LiveRun, happening: Happening): void {
    if (run.gone || run.isLeaving) return;
    for (const effect of happen(run.plan, run.progress, happening)) perform(run, effect);
  }

  function perform(run: LiveRun, effect: Effect): void {
    switch (effect.do) {
      case "start":
        return begin(run, effect.task);
      case "record":
        if (run.attempts[effect.task]?.isRecorded === true) return;
        return recorder.record(run, effect.task);
      case "wait":
        return wait(run, effect.task, effect.dueAt);
      case "park":
        return park(run, effect.dueAt);
      case "release":
        return recorder.move(run, { to: "pending" });
      case "abort":
        return abort(run);
      case "end":
        return recorder.move(run, endMove(run, effect.as, now()));
    }
  }

  function wait(run: LiveRun, task: number, dueAt: number): void {
    setTimer(run, task, dueAt - now(), () => tell(run, { type: "due", task }));
  }

  function begin(run: LiveRun, task: number): void {
    const attempt = run.attempts[task] = newAttempt(run, task);
    if (isStopping || run.gone) return abandon(attempt);
    bodies.queue(attempt);
  }

  function began(attempt: Attempt): void {
    attempt.run.startedAt[attempt.task] = attempt.startedAt;
    events.task(attempt, "task.started");
    recorder.watch();
  }

  function ended(attempt: Attempt, end: AttemptEnd): void {
    const { run, task } = attempt;
    if (!run.gone) {
      switch (end.kind) {
        case "returned":
        case "committed":
          attempt.isRecorded = end.kind === "committed";
          run.outputs[task] = end.output;
          tell(run, completed(task));
          // Not if it came when the run was over.
          if (attempt.isRecorded && run.progress.tasks[task]!.state === "completed") {
            recorded(run, task, now() - attempt.startedAt);
          }
          break;
        case "fenced":
          lose(run);
          break;
        case "declined":
          tell(run, { type: "declined", task });
          break;
        case "threw":
          threw(attempt, end.thrown);
          break;
      }
    }
    if (bodies.active.length === 0) quiet?.();
  }

  function threw(attempt: Attempt, thrown: unknown): void {
    const { run, task } = attempt;
    if (attempt.aborted?.reason instanceof ShutdownError) return tell(run, { type: "abandoned", task });
    if (run.closing !== undefined) return tell(run, { type: "failed", task, retryAt: undefined });
    const definition = run.plan.tasks[task]!;
    const next = afterFailure(definition.retry, attempt.number, thrown, options.random, logger);
    if (next.kind === "defer") {
      const dueAt = now() + next.delayMs;
      events.deferred(attempt, dueAt);
      return tell(run, { type: "deferred", task, dueAt });
    }
    const failure = {
      taskId: definition.id,
      attempt: attempt.number,
      error: toErrorRecord(thrown),
      // Their row tells only of the latest attempt when it was.
      startedAt: attempt.startedAt,
      endedAt: now(),
    };
    run.failures ??= new Map();
    run.failures.set(task, withFailure(run.failures.get(task) ?? [], failure));
    if (next.kind === "fail") {
      (run.thrown ??= new Map()).set(task, thrown);
      return tell(run, { type: "failed", task, retryAt: undefined });
    }
    const retryAt = now() + next.delayMs;
    events.retrying(attempt, failure.error, retryAt);
    tell(run, { type: "failed", task, retryAt });
  }

  function abandon(attempt: Attempt): void {
    bodies.drop(attempt);
    tell(attempt.run, { type: "abandoned", task: attempt.task });
  }

  function setTimer(run: LiveRun, key: number, ms: number, fire: () => void): void {
    run.timers ??= new Map();
    run.timers.get(key)?.();
    run.timers.set(key, clock.after(Math.max(0, ms), fire));
  }

  function park(run: LiveRun, dueAt: number): void {
    const wakeAt = Math.min(dueAt, run.deadlineAt ?? Infinity);
    recorder.move(run, { to: "waiting", dueAt: wakeAt, release: wakeAt - now() > LONG_WAIT_MS });
  }

  function overrun(run: LiveRun): void {
    const cause = new RunTimeoutError(run.id, run.timeoutMs ?? 0);
    close(run, "failed", { cause, reason: undefined, error: toErrorRecord(cause) });
  }

  function close(run: LiveRun, as: "cancelled" | "failed", closing: Closing): void {
    if (run.isLeaving || run.closing !== undefined || run.progress.phase === "ended") return;
    run.closing = closing;
    setTimer(run, GRACE, GRACE_MS, () => tell(run, { type: "graceOver" }));
    tell(run, { type: "closed", as });
  }

  function abort(run: LiveRun): void {
    for (const attempt of run.attempts) {
      if (attempt?.stage === "running") bodies.abort(attempt, run.closing?.cause);
      if (attempt?.stage === "queued") abandon(attempt);
    }
  }

  function obey(orders: readonly StandingOrder[]): void {
    const stillPaused = new Set<LiveRun>();
    for (const { seq, cancel, paused: isPaused } of orders) {
      const run = runs.get(seq);
      if (run === undefined) continue;
      if (isPaused) {
        stillPaused.add(run);
        if (!paused.has(run)) paused.set(run, now());
        run.timers?.get(DEADLINE)?.();
        tell(run, { type: "paused" });
        for (const attempt of run.attempts) if (attempt?.stage === "queued") abandon(attempt);
      }
      if (cancel === undefined) continue;
      const cause = new RunCancelledError(run.id, cancel.reason);
      close(run, "cancelled", { cause, reason: cancel.reason, error: undefined });
    }
    for (const [run, since] of paused) {
      if (stillPaused.has(run)) continue;
      paused.delete(run);
      if (run.deadlineAt !== undefined) setDeadline(run, run.deadlineAt += now() - since);
      tell(run, { type: "resumed" });
    }
  }

  function recorded(run: LiveRun, task: number, tookMs: number | undefined): void {
    const attempt = run.attempts[task];
    run.attempts[task] = undefined;
    if (attempt?.isRecorded === true) options.touched(run.id);
    events.recorded(run, task, tookMs);
    if (attempt !== undefined) callHooks(run, attempt, logger);
    tell(run, recordedTask(task));
  }

  function left(run: LiveRun, move: RunMove): void {
    forget(run, leaveOf(move));
    const end = runEnd(run, move);
    if (end === undefined) {
      const isPaused = run.progress.phase === "paused";
      events.run(run, move.to === "waiting" ? "run.waiting" : isPaused ? "run.paused" : "run.handedBack");
      return options.left(move.to === "waiting" ? move.dueAt : undefined);
    }
    options.left(undefined);
    if (run.hooks === undefined) finished(run, end);
    else finishLater(run, end, run.hooks);
  }

  function finishLater(run: LiveRun, end: RunEnd, hooks: readonly Promise<unknown>[]): void {
    options.finishing(run.id);
    const told = hooksReturned(hooks, clock, GRACE_MS).then(() => {
      finishing.delete(told);
      finished(run, end);
    });
    finishing.add(told);
  }

  function finished(run: LiveRun, end: RunEnd): void {
    events.ended(run, end);
    options.ended(end);
  }

  function lose(run: LiveRun): void {
    if (run.gone) return;
    const cause = new LeaseLostError(run.id);
    logger.warn(cause.message);
    events.run(run, "run.leaseLost");
    letGo(run, cause);
  }

  /** Lets go of a run whose bodies may still be alive. */
  function letGo(run: LiveRun, cause: Error): void {
    for (const attempt of run.attempts) if (attempt !== undefined) bodies.abort(attempt, cause);
    forget(run, { state: "lost", error: cause });
    options.left(undefined);
  }

  function gaveUp(run: LiveRun, error: Error): void {
    logger.error(`Run "${run.id}" cannot go on in this runner: its store refuses all of it`, { error: error.message });
    letGo(run, error);
    options.gaveUp(run.id, error);
  }

  function forget(run: LiveRun, leave: RunLeave): void {
    run.gone = true;
    // It may be back already: another commit has claimed it again before this one's answer came.
    if (runs.get(run.seq) === run) runs.delete(run.seq);
    paused.delete(run);
    run.timers?.forEach((cancel) => cancel());
    run.timers = undefined;
    // A body that outlived its grace or its lease may never settle: its place is free all the same.
    for (const attempt of run.attempts) if (attempt !== undefined) bodies.drop(attempt);
    run.trace?.left(leave);
  }

  async function drain(timeoutMs: number): Promise<void> {
    isStopping = true;
    for (const run of runs.values()) {
      for (const attempt of run.attempts) if (attempt?.stage === "queued") abandon(attempt);
    }
    await settledWithin(timeoutMs);
    const cause = new ShutdownError();
    for (const attempt of [...bodies.active]) bodies.abort(attempt, cause);
    // Bodies that heed their signal get the time to say so; the others are left behind.
    await settledWithin(Math.min(timeoutMs, 1_000));
    for (const attempt of [...bodies.active]) abandon(attempt);
    await outbox.idle();
    for (const run of runs.values()) handBack(run);
    await outbox.idle();
    recorder.stop();
    for (const run of [...runs.values()]) forget(run, { state: "pending" });
    await Promise.all(finishing);
  }

  function handBack(run: LiveRun): void {
    const dueAt = run.progress.parkedUntil;
    recorder.move(run, dueAt === undefined ? { to: "pending" } : { to: "waiting", dueAt, release: true });
  }

  function settledWithin(ms: number): Promise<void> {
    if (bodies.active.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = clock.after(ms, done);
      quiet = done;

      function done(): void {
        cancel();
        quiet = undefined;
        resolve();
      }
    });
  }
}
