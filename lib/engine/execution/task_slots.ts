/**
 * Runs attempts in a bounded number of slots. This is the only place where a body is called. Whatever it throws ends its
 * own attempt and nothing else.
 *
 * Runs take turns. Short bodies let the event loop turn every few milliseconds.
 *
 * An attempt that needs a permit requests it once a slot is reserved for it, so that no limit is used up by what queues
 * for a busy runner. Attempts that were granted their permits have their slots and are started before others.
 *
 * @module
 */
import type { TaskArguments } from "../../definition/context.ts";
import { isThenable } from "../../definition/thenable.ts";
import { TaskTimeoutError } from "../../errors.ts";
import { type Clock, monotonicOf } from "../../clock.ts";
import { runsAtMostOnce } from "./at_most_once.ts";
import { type AttemptEnd, nodeOf } from "../runs/attempt.ts";
import { createAttemptQueue } from "./attempt_queue.ts";
import { createBodyTurns } from "./body_turns.ts";
import type { Attempt, LiveUnit } from "../runs/live_run.ts";
import { type ContextPort, createContext } from "./attempt_context.ts";
import type { KindPort } from "../kinds/kind.ts";
import { kindOf } from "../kinds/kinds.ts";
import { createStallWarning } from "./stall_warning.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { tracedAttempt } from "../telemetry/traced_attempt.ts";
import { tracedEnd } from "../telemetry/traced_end.ts";
import { callTraced } from "../telemetry/tracing.ts";
import { argumentsOf } from "./unit_arguments.ts";

/** The slot of an attempt that runs in none, and of one for which a slot is reserved. */
const NO_SLOT = -1;
const RESERVED = -2;

/** Slots for attempts. */
export interface TaskSlots {
  /** Attempts that run. */
  readonly active: readonly Attempt[];
  /** How many slots are taken or reserved. */
  readonly taken: number;
  /** How many attempts wait for a slot. */
  readonly queued: number;
  /** Runs an attempt as soon as there is a slot, and a permit if it needs one. */
  queue(attempt: Attempt): void;
  /** Runs an attempt that has requested its permit, in the slot that is reserved for it. */
  permitted(attempt: Attempt): void;
  /** Aborts the signal of an attempt; its slot stays taken until the body settles. */
  abort(attempt: Attempt, reason: unknown): void;
  /** Ends an attempt for the engine: releases its slot or reservation, and ignores whatever its body still returns. */
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
  /** Whether an attempt needs a permit, or has it. */
  readonly permitOf: (attempt: Attempt) => "none" | "needed" | "granted";
  /** Requests the permit of an attempt for which a slot is reserved; `permitted()` or `drop()` follows. */
  readonly requestPermit: (attempt: Attempt) => void;
  /** An attempt that has its permit finds no free slot: it requests it again when it has one. */
  readonly postponePermit: (attempt: Attempt) => void;
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
  const queue = createAttemptQueue();
  let reserved = 0;
  let isPumping = false;
  const turns = createBodyTurns({ canStart: options.canStart, next: pump });
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
    get taken() {
      return active.length + reserved;
    },
    get queued() {
      return queue.size;
    },
    queue(attempt) {
      const isGranted = options.permitOf(attempt) === "granted";
      if (isGranted && hasFreeSlot()) {
        reserve(attempt);
        queue.pushReserved(attempt);
      } else {
        if (isGranted) options.postponePermit(attempt);
        queue.push(attempt);
      }
      pump();
    },
    permitted(attempt) {
      queue.pushReserved(attempt);
      pump();
    },
    abort(attempt, reason) {
      attempt.aborted ??= { reason };
      attempt.context?.abort(reason);
    },
    drop(attempt) {
      if (attempt.stage === "over") return;
      if (attempt.stage === "queued") queue.drop();
      leave(attempt);
      attempt.trace?.end({ kind: "aborted", reason: attempt.aborted?.reason });
      pump();
    },
    resume: pump,
    stop: stall.stop,
  };

  function hasFreeSlot(): boolean {
    return active.length + reserved < options.concurrency;
  }

  function reserve(attempt: Attempt): void {
    attempt.slot = RESERVED;
    reserved++;
  }

  function isSaturated(): boolean {
    return queue.size > 0 && active.length >= options.concurrency;
  }

  function pump(): void {
    if (isPumping || turns.isOver) return;
    isPumping = true;
    fill();
    isPumping = false;
    if (isSaturated()) stall.saturated();
  }

  // A loop and not a call from each end to the next start: bodies that return at once would pile up the stack.
  function fill(): void {
    while (queue.size > 0 && (queue.hasReserved || hasFreeSlot())) {
      const now = options.now();
      if (!turns.mayStart(now)) return;
      begin(queue.shift(), now);
    }
  }

  function begin(attempt: Attempt, now: number): void {
    if (attempt.slot === RESERVED) unreserve(attempt);
    else if (options.permitOf(attempt) === "needed") {
      attempt.stage = "loading";
      reserve(attempt);
      return options.requestPermit(attempt);
    }
    launch(attempt, now);
  }

  function unreserve(attempt: Attempt): void {
    attempt.slot = NO_SLOT;
    reserved--;
  }

  function launch(attempt: Attempt, now: number): void {
    const { task } = nodeOf(attempt);
    const { trace } = attempt.unit.run;
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
    if (attempt.slot === RESERVED) unreserve(attempt);
    if (attempt.slot === NO_SLOT) return;
    const last = active.pop()!;
    if (last !== attempt) active[last.slot = attempt.slot] = last;
    attempt.slot = NO_SLOT;
    stall.released();
  }
}
