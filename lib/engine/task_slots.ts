/**
 * Runs attempts in a bounded number of slots. This is the only place where a body is called. Whatever it throws ends its
 * own attempt and nothing else.
 *
 * Slots are given to runs in turn: a run with ten thousand ready units delays another run by one body, not by ten
 * thousand. Short bodies let the event loop turn every few milliseconds.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { TaskArguments } from "../definition/context.ts";
import { isThenable } from "../definition/thenable.ts";
import { TaskTimeoutError } from "../errors.ts";
import { type Clock, monotonicOf } from "../clock.ts";
import { runsAtMostOnce } from "./at_most_once.ts";
import { type AttemptEnd, nodeOf } from "./attempt.ts";
import type { Attempt, LiveRun, LiveUnit } from "./live_run.ts";
import { type ContextPort, createContext } from "./attempt_context.ts";
import type { KindPort } from "./kinds/kind.ts";
import { createRing } from "./ring.ts";
import { kindOf } from "./kinds/kinds.ts";
import { createStallWarning } from "./stall_warning.ts";
import { NO_ITEM } from "./run_state.ts";
import { tracedAttempt } from "./traced_attempt.ts";
import { tracedEnd } from "./traced_end.ts";
import { callTraced } from "./tracing.ts";
import { argumentsOf } from "./unit_arguments.ts";

/** Bodies that return at once may run so long before the event loop turns. */
const LONGEST_TURN_MS = 10;

/** Slots for attempts. */
export interface TaskSlots {
  /** Attempts that run. */
  readonly active: readonly Attempt[];
  /** How many attempts wait for a slot. */
  readonly queued: number;
  /** Runs an attempt as soon as there is a slot. */
  queue(attempt: Attempt): void;
  /** Aborts the signal of an attempt; its slot stays taken until the body settles. */
  abort(attempt: Attempt, reason: unknown): void;
  /** Ends an attempt for the engine: releases its slot, and ignores whatever its body still returns. */
  drop(attempt: Attempt): void;
  /** Starts queued attempts: bodies may start again. */
  resume(): void;
  /** Ends timers. */
  stop(): void;
}

/** What slots need of the engine. */
export interface TaskSlotsOptions
  extends
    ContextPort,
    Pick<KindPort, "maxPayloadBytes" | "now" | "newId" | "transact" | "closeMailbox" | "findChild" | "undoChild"> {
  /** How many attempts run at once. */
  readonly concurrency: number;
  /** Whether a body may start: the runner's lease holds. */
  readonly canStart: () => boolean;
  /** Runs time-outs. */
  readonly clock: Clock;
  /** Returns the trace context of its caller. */
  readonly currentTrace: () => string | undefined;
  /** Called before the body of an attempt. */
  readonly began: (attempt: Attempt) => void;
  /** Called when the condition of a unit is true; resolves once that is durable. */
  readonly conditionPassed: (unit: LiveUnit) => Promise<void>;
  /** Records that an attempt has started; resolves once that is durable. */
  readonly markStarted: (attempt: Attempt) => Promise<void>;
  /** Called once for each attempt that was not dropped. */
  readonly ended: (attempt: Attempt, end: AttemptEnd) => void;
}

/** Slots for `concurrency` attempts. */
export function createTaskSlots(options: TaskSlotsOptions): TaskSlots {
  const active: Attempt[] = [];
  const stall = createStallWarning({ ...options, isSaturated });
  const runs = createRing<LiveRun>();
  let queued = 0;
  let isPumping = false;
  let turnEndsAt: number | undefined;
  let isTurnOver = false;
  const port: KindPort = {
    maxPayloadBytes: options.maxPayloadBytes,
    now: options.now,
    newId: options.newId,
    closeMailbox: options.closeMailbox,
    findChild: options.findChild,
    undoChild: options.undoChild,
    traceOf: (attempt) =>
      attempt.trace === undefined ? attempt.unit.run.origin : attempt.trace.run(options.currentTrace),
    call: ({ trace }, code, args) => trace === undefined ? code(args) : callTraced(trace, code, args),
    transact: (attempt, body) =>
      options.transact(attempt, (tx) => {
        // The time-out was cleared by a commit that was under way and failed.
        arm(attempt);
        return body(tx);
      }),
  };
  const monotonic = monotonicOf(options.clock);
  return {
    active,
    get queued() {
      return queued;
    },
    queue(attempt) {
      attempt.stage = "queued";
      enqueue(attempt);
      queued++;
      pump();
    },
    abort(attempt, reason) {
      attempt.aborted ??= { reason };
      attempt.context?.abort(reason);
    },
    drop(attempt) {
      if (attempt.stage === "over") return;
      if (attempt.stage === "queued") queued--;
      leave(attempt);
      attempt.trace?.end({ kind: "aborted", reason: attempt.aborted?.reason });
      pump();
    },
    resume: pump,
    stop: stall.stop,
  };

  function isSaturated(): boolean {
    return queued > 0 && active.length >= options.concurrency;
  }

  function enqueue(attempt: Attempt): void {
    const { run } = attempt.unit;
    if (run.lastQueued === undefined) {
      run.firstQueued = attempt;
      runs.push(run);
    } else run.lastQueued.next = attempt;
    run.lastQueued = attempt;
  }

  /** The next attempt of the run whose turn it is; that run then goes to the end of the line. */
  function dequeue(): Attempt {
    const run = runs.shift()!;
    const attempt = run.firstQueued!;
    run.firstQueued = attempt.next;
    if (attempt.next !== undefined) attempt.next = undefined;
    if (run.firstQueued === undefined) run.lastQueued = undefined;
    else runs.push(run);
    return attempt;
  }

  function pump(): void {
    if (isPumping || isTurnOver) return;
    isPumping = true;
    fill();
    isPumping = false;
    if (isSaturated()) stall.saturated();
  }

  // A loop and not a call from each end to the next start: bodies that return at once would pile up the stack.
  function fill(): void {
    while (queued > 0 && active.length < options.concurrency) {
      const now = options.now();
      if (!mayLaunch(now)) return;
      const attempt = dequeue();
      // A dropped attempt is skipped when it is its turn.
      if (attempt.stage === "queued") launch(attempt, now);
    }
  }

  function launch(attempt: Attempt, now: number): void {
    const { task } = nodeOf(attempt);
    const { trace } = attempt.unit.run;
    queued--;
    attempt.stage = "running";
    attempt.startedAt = now;
    attempt.beganAt = monotonic();
    attempt.slot = active.push(attempt) - 1;
    if (trace !== undefined) attempt.trace = trace.startAttempt(tracedAttempt(attempt.unit, attempt.number));
    options.began(attempt);
    attempt.context = createContext(attempt, options);
    arm(attempt);
    if (attempt.wokenBy !== undefined) return call(attempt);
    if (task.when !== undefined && !attempt.unit.conditionPassed && attempt.unit.item === NO_ITEM) {
      return void evaluateCondition(attempt, task.when);
    }
    if (runsAtMostOnce(attempt)) return void startOnce(attempt);
    call(attempt);
  }

  /**
   * Whether an attempt may start in this turn of the event loop: not if bodies have had it for long enough, as after a
   * process was stopped in it. The lease is looked at once a turn, as that reads two clocks.
   */
  function mayLaunch(now: number): boolean {
    if (turnEndsAt === undefined) return options.canStart() && beginTurn(now);
    isTurnOver = now >= turnEndsAt;
    return !isTurnOver;
  }

  function beginTurn(now: number): true {
    turnEndsAt = now + LONGEST_TURN_MS;
    setImmediate(() => {
      turnEndsAt = undefined;
      if (!isTurnOver) return;
      isTurnOver = false;
      pump();
    });
    return true;
  }

  function call(attempt: Attempt): void {
    const node = nodeOf(attempt);
    const kind = kindOf(node);
    let value: unknown;
    attempt.isBegun = true;
    try {
      value = kind.call(attempt, node.task, port);
      if (!isThenable(value)) return finish(attempt, kind.end(attempt, value, port, node.task));
    } catch (thrown) {
      return finish(attempt, { kind: "threw", thrown });
    }
    finishLater(attempt, value);
  }

  // Functions apart where a closure is made only at times: V8 allocates what it captures with each call.
  function finishLater(attempt: Attempt, value: PromiseLike<unknown>): void {
    Promise.resolve(value).then(
      (known) => attempt.stage === "running" && finish(attempt, endOf(attempt, known)),
      (thrown) => finish(attempt, { kind: "threw", thrown }),
    );
  }

  function endOf(attempt: Attempt, value: unknown): AttemptEnd {
    try {
      const node = nodeOf(attempt);
      return kindOf(node).end(attempt, value, port, node.task);
    } catch (thrown) {
      return { kind: "threw", thrown };
    }
  }

  async function evaluateCondition(attempt: Attempt, when: (args: TaskArguments) => unknown): Promise<void> {
    try {
      const args = argumentsOf(attempt);
      if (!await port.call(attempt, when, args)) return finish(attempt, { kind: "declined" });
      if (attempt.stage !== "running") return;
      await options.conditionPassed(attempt.unit);
    } catch (thrown) {
      return finish(attempt, { kind: "threw", thrown });
    }
    callUnlessAborted(attempt);
  }

  /** Commits that an attempt has started before its body is called. */
  async function startOnce(attempt: Attempt): Promise<void> {
    try {
      await options.markStarted(attempt);
    } catch (thrown) {
      return finish(attempt, { kind: "threw", thrown });
    }
    callUnlessAborted(attempt);
  }

  /** Calls the body, unless the run was cancelled or stopped in the meantime: then nothing new starts. */
  function callUnlessAborted(attempt: Attempt): void {
    if (attempt.stage !== "running") return;
    if (attempt.aborted === undefined) return call(attempt);
    finish(attempt, { kind: "threw", thrown: attempt.aborted.reason });
  }

  /** Sets the time-out of a running attempt, unless it is set. */
  function arm(attempt: Attempt): void {
    const { timeoutMs } = nodeOf(attempt);
    if (timeoutMs === undefined || attempt.disarm !== undefined || attempt.stage !== "running") return;
    armAfter(attempt, timeoutMs);
  }

  function armAfter(attempt: Attempt, timeoutMs: number): void {
    const leftMs = Math.max(0, attempt.beganAt + timeoutMs - monotonic());
    attempt.disarm = options.clock.after(leftMs, () => expire(attempt, timeoutMs));
  }

  function expire(attempt: Attempt, timeoutMs: number): void {
    if (attempt.stage !== "running") return;
    const error = new TaskTimeoutError(nodeOf(attempt).id, timeoutMs);
    attempt.aborted ??= { reason: error };
    attempt.context?.abort(error);
    finish(attempt, { kind: "threw", thrown: error });
  }

  function finish(attempt: Attempt, end: AttemptEnd): void {
    if (attempt.stage !== "running") return;
    attempt.tookMs = monotonic() - attempt.beganAt;
    leave(attempt);
    attempt.trace?.end(tracedEnd(attempt, end));
    options.ended(attempt, end);
    pump();
  }

  function leave(attempt: Attempt): void {
    attempt.stage = "over";
    attempt.disarm?.();
    attempt.steps?.stop();
    if (attempt.slot < 0) return;
    const last = active.pop()!;
    if (last !== attempt) active[last.slot = attempt.slot] = last;
    attempt.slot = -1;
    stall.released();
  }
}
