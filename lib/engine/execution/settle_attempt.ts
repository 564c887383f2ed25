import { type Failure, ShutdownError } from "../../errors.ts";
import type { NewRun } from "../../store/port/batch.ts";
import { WAITS_FOR_CHILD } from "../../store/port/children.ts";
import { ONE_ATTEMPT } from "../../definition/retry.ts";
import type { Logger } from "../../logger.ts";
import { runsAtMostOnce } from "./at_most_once.ts";
import { BLOCKED, RESOLUTION } from "../machine/blocked.ts";
import { decideRetry } from "../errors/retry_decision.ts";
import { type AttemptEnd, nodeOf } from "../runs/attempt.ts";
import { childDefinitionOf } from "../machine/child_definition.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import { toErrorRecord, withFailure } from "../errors/error_record.ts";
import type { ChildOutcome } from "../runs/child_outcome.ts";
import { addItemFailure, newExpansion } from "../runs/expansion.ts";
import { isOfStoppedNode } from "../machine/items.ts";
import type { Attempt, LiveRun, LiveUnit } from "../runs/live_run.ts";
import type { MachineEvent } from "../machine/machine_protocol.ts";
import { NO_ITEM, type Wake } from "../machine/run_state.ts";
import { tracedAttempt } from "../telemetry/traced_attempt.ts";

/** What settling an attempt needs of the engine. */
export interface SettlePort {
  /** Passes an event to the state machine and carries out its commands. */
  readonly apply: (run: LiveRun, event: MachineEvent<LiveUnit>) => void;
  /** Writes the row of a unit as it is now. */
  readonly record: (unit: LiveUnit) => void;
  /** The end of a unit is durable; its last attempt took that long. */
  readonly durable: (unit: LiveUnit, tookMs: number | undefined) => void;
  /** Another runner owns the run. */
  readonly lose: (run: LiveRun) => void;
  readonly emit: Observer;
  readonly logger: Logger;
  /** The store's time. */
  readonly now: () => number;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
}

/** Turns the end of an attempt into an event of its run. */
export function settleAttempt(attempt: Attempt, end: AttemptEnd, port: SettlePort): void {
  const { unit } = attempt;
  const { run } = unit;
  switch (end.kind) {
    case "returned":
    case "committed":
      if (end.kind === "committed") attempt.isRecorded = true;
      unit.output = end.output;
      port.apply(run, { type: "completed", unit });
      // Not if the run was over by then.
      if (attempt.isRecorded && unit.state === "completed") port.durable(unit, attempt.tookMs);
      return;
    case "suspended":
      return port.apply(run, { type: "suspended", unit, wake: end.wake, reason: end.reason });
    case "spawned":
      // Nothing new starts in a run that is being ended.
      if (run.closing !== undefined) return port.apply(run, { type: "failed", unit, retryAt: undefined });
      unit.spawning = end.child;
      port.apply(run, { type: "suspended", unit, wake: wakeOfChild(end.child, port.now()), reason: WAITS_FOR_CHILD });
      // Left if the failure of another item has stopped its node.
      unit.spawning = undefined;
      return;
    case "expanded":
      unit.expansion = newExpansion(end.items, { text: end.text });
      return port.apply(run, { type: "expanded", unit, items: end.items, omitted: end.omitted ?? [] });
    case "fenced":
      return port.lose(run);
    case "declined":
      return port.apply(run, { type: "conditionFailed", unit });
    case "threw":
      return threw(attempt, end.thrown, port);
    case "failed":
      return fail(attempt, end.thrown, port);
    case "repeated":
      return port.apply(run, { type: "failed", unit, retryAt: port.now() });
  }
}

/**
 * The store inserts no child whose key another run has. Whether it did is looked up once the wait is durable, which is
 * a time that the journal has, so that it is looked up even if this process dies.
 */
function wakeOfChild({ key }: NewRun, now: number): Wake {
  return { child: true, at: key === undefined ? undefined : now };
}

function threw(attempt: Attempt, thrown: unknown, port: SettlePort): void {
  const { apply, emit, logger, now, random } = port;
  const { unit } = attempt;
  const { run } = unit;
  if (attempt.aborted?.reason instanceof ShutdownError) return giveUp(attempt, port);
  if (run.closing !== undefined) return apply(run, { type: "failed", unit, retryAt: undefined });
  const { task, retry: stated } = nodeOf(attempt);
  // The policy of a map with child runs is that of `over`: a child run is started once, and retries its own tasks.
  const retry = childDefinitionOf(task, unit.item) === undefined ? stated : ONE_ATTEMPT;
  const next = decideRetry(retry, attempt.number, thrown, random, logger);
  if (next.kind === "defer") {
    const at = now() + next.delayMs;
    const { message } = next;
    emit({ type: "attemptDeferred", attempt, dueAt: at, message });
    return apply(run, { type: "deferred", unit, wake: { at }, message });
  }
  if (next.kind === "fail") return fail(attempt, thrown, port);
  const { error } = addFailure(unit, attempt, thrown, now());
  const retryAt = now() + next.delayMs;
  emit({ type: "attemptFailed", attempt, error, dueAt: retryAt });
  apply(run, { type: "failed", unit, retryAt });
}

/** A running attempt ends without a result, because its runner stops. It does not count, unless it runs at most once. */
export function giveUp(attempt: Attempt, { apply, record, emit }: SettlePort): void {
  const { unit } = attempt;
  if (!runsAtMostOnce(attempt)) return apply(unit.run, { type: "abandoned", unit });
  if (attempt.isBegun) {
    apply(unit.run, { type: "suspended", unit, wake: RESOLUTION, reason: BLOCKED });
    return emit({ type: "unitBlocked", unit });
  }
  apply(unit.run, { type: "abandoned", unit });
  // The journal may say that it has started.
  if (unit.isWritten && !unit.run.isLeaving) record(unit);
}

function fail(attempt: Attempt, thrown: unknown, { apply, now }: SettlePort): void {
  const { unit } = attempt;
  addLastFailure(unit, attempt, thrown, now());
  apply(unit.run, { type: "failed", unit, retryAt: undefined });
}

/** Turns the outcome of the child run of an item that waits for it into the end of the item. */
export function settleChild(unit: LiveUnit, { end }: ChildOutcome, { apply, now }: SettlePort): void {
  const { run, attempts, startedAt } = unit;
  // For its trace it continues, as a task does.
  const trace = run.trace?.startAttempt(tracedAttempt(unit, attempts));
  if (end.kind === "completed") {
    unit.output = end.result;
    trace?.end({ kind: "completed" });
    return apply(run, { type: "childEnded", unit, as: "completed" });
  }
  addLastFailure(unit, { number: attempts, startedAt: startedAt ?? now() }, end.error, now());
  trace?.end({ kind: "failed", thrown: end.error });
  apply(run, { type: "childEnded", unit, as: "failed" });
}

type FailedAttempt = Pick<Attempt, "number" | "startedAt">;

/** Adds the failure that no other attempt follows. */
function addLastFailure(unit: LiveUnit, attempt: FailedAttempt, thrown: unknown, now: number): void {
  const { run: { state } } = unit;
  const failure = addFailure(unit, attempt, thrown, now);
  unit.thrown = thrown;
  const { expansion } = state.units[unit.node]!;
  if (unit.item !== NO_ITEM && !isOfStoppedNode(state, unit)) addItemFailure(expansion!, failure);
}

function addFailure(unit: LiveUnit, { number, startedAt }: FailedAttempt, thrown: unknown, now: number): Failure {
  const failure = {
    taskId: nodeOf({ unit }).id,
    ...(unit.item === NO_ITEM ? {} : { item: unit.item }),
    attempt: number,
    error: toErrorRecord(thrown),
    // The row has the times of the latest attempt only.
    startedAt,
    endedAt: now,
  };
  unit.failures = withFailure(unit.failures, failure);
  return failure;
}
