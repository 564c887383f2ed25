import { thrownText } from "../errors/error_record.ts";
import { AsyncLocalStorage } from "node:async_hooks";
import { decodeJson } from "../../definition/json.ts";
import type { Logger } from "../../logger.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { EngineEvent, Observer, StoredRun } from "./engine_events.ts";
import type { ExecutionEvent, RunEvent, RunLevelEvent, TaskLevelEvent } from "../reading/events.ts";
import type { LiveRun, LiveUnit } from "../runs/live_run.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { scheduleEvents } from "../schedules/public_events.ts";

/** What `onEvent` needs of the engine. */
export interface PublicEventsOptions {
  /** The user's function. What it throws is logged and changes nothing. */
  readonly onEvent: (event: RunEvent) => void;
  readonly logger: Logger;
  /** The store's time. */
  readonly now: () => number;
}

/** An observer that calls `onEvent`. */
export function createPublicEvents({ onEvent, logger, now }: PublicEventsOptions): Observer {
  // The user's function must not see the async context of whatever code made the engine emit.
  const inOwnContext = AsyncLocalStorage.snapshot();
  return (event) => {
    switch (event.type) {
      case "scheduleAdvanced":
      case "scheduleFailed":
      case "pollChecked":
      case "checkDropped":
        scheduleEvents(event, now()).forEach(tell);
        return;
    }
    const told = publicEvent(event, now());
    if (told !== undefined) tell(told);
  };

  function tell(event: RunEvent): void {
    try {
      inOwnContext(onEvent, event);
    } catch (error) {
      logger.warn("onEvent threw", { event: event.type, error: thrownText(error) });
    }
  }
}

/** The event as users see it; `undefined` for one that concerns only the engine. */
function publicEvent(event: EngineEvent, at: number): ExecutionEvent | undefined {
  switch (event.type) {
    case "runLoaded":
      return { type: loadedAs(event.run), ...runFields(event.run, at) };
    case "runReleased":
      // Reported once it is in memory again: a run without an owner is compensated as well.
      return event.as === "compensating" ? undefined : { type: `run.${event.as}`, ...runFields(event.run, at) };
    case "runLost":
      return { type: "run.leaseLost", ...runFields(event.run, at) };
    case "runEnded":
      return endEvent(event, at);
    case "runRecovered":
      return { type: "run.recovered", ...storedFields(event.run, at), crashes: event.crashes };
    case "runGivenUp":
      return { type: "run.failed", ...storedFields(event.run, at), error: event.error };
    case "runParked":
      return { type: "run.stranded", ...storedFields(event.run, at), reason: event.reason };
    case "attemptStarted":
      return { type: `${subjectOf(event.attempt.unit)}.started`, ...unitFields(event.attempt.unit, at) };
    case "attemptProgressed":
      return {
        type: `${subjectOf(event.attempt.unit)}.progress`,
        ...unitFields(event.attempt.unit, at),
        ...event.progress,
      };
    case "attemptFailed":
      return {
        type: `${subjectOf(event.attempt.unit)}.retrying`,
        ...unitFields(event.attempt.unit, at),
        error: event.error,
        dueAt: event.dueAt,
      };
    case "attemptDeferred":
      return {
        type: `${subjectOf(event.attempt.unit)}.deferred`,
        ...unitFields(event.attempt.unit, at),
        dueAt: event.dueAt,
        ...(event.message !== undefined && { message: event.message }),
      };
    case "unitBlocked":
      return { type: "task.blocked", ...unitFields(event.unit, at) };
    case "unitEnded":
      return taskEndEvent(event.unit, at);
    // It is reported by the end of the unit.
    case "undoFailed":
    case "childrenStarted":
    case "childrenControlled":
    case "parentWoken":
    case "runAbandoned":
    case "runEnding":
    case "runChanged":
    case "capacityReleased":
    case "leaseConfirmed":
    case "runsAdmitted":
    case "scheduleAdvanced":
    case "scheduleFailed":
    case "pollChecked":
    case "checkDropped":
    case "committed":
    case "commitFailed":
    case "leaseLost":
      return undefined;
  }
}

function loadedAs({ compensation, epoch }: LiveRun): "run.started" | "run.resumed" | "run.compensating" {
  if (compensation?.isNew === true) return "run.compensating";
  return epoch > 1 ? "run.resumed" : "run.started";
}

/** What an event of a unit is about. */
function subjectOf(unit: LiveUnit): "task" | "undo" {
  return nodeOf({ unit }).undo === undefined ? "task" : "undo";
}

function endEvent({ run, end }: Extract<EngineEvent, { type: "runEnded" }>, at: number): RunLevelEvent {
  const fields = runFields(run, at);
  switch (end.state) {
    case "completed":
      return { type: "run.completed", ...fields };
    case "cancelled":
      return { type: "run.cancelled", ...fields, reason: end.reason };
    case "failed":
      return { type: "run.failed", ...fields, error: end.error ?? { name: "Error", message: "a task failed" } };
  }
}

function taskEndEvent(unit: LiveUnit, at: number): TaskLevelEvent {
  const fields = unitFields(unit, at);
  const isUndo = subjectOf(unit) === "undo";
  if (unit.state === "completed" && isUndo) return { type: "undo.completed", ...fields };
  if (unit.state === "completed") return { type: "task.completed", ...fields, output: decodeJson(unit.output) };
  if (unit.state === "skipped") return { type: "task.skipped", ...fields, reason: unit.reason ?? "" };
  const error = unit.failures.at(-1)?.error ?? { name: "Error", message: "the task failed" };
  return { type: isUndo ? "undo.failed" : "task.failed", ...fields, error };
}

function runFields({ id, plan }: LiveRun, at: number): Pick<RunLevelEvent, "runId" | "workflow" | "at"> {
  return { runId: id, workflow: plan.workflow.name, at };
}

function storedFields({ id, workflow }: StoredRun, at: number): Pick<RunLevelEvent, "runId" | "workflow" | "at"> {
  return { runId: id, workflow, at };
}

function unitFields(
  unit: LiveUnit,
  at: number,
): Pick<TaskLevelEvent, "runId" | "workflow" | "taskId" | "item" | "attempt" | "at"> {
  return {
    ...runFields(unit.run, at),
    taskId: nodeOf({ unit }).id,
    ...(unit.item === NO_ITEM ? {} : { item: unit.item }),
    attempt: unit.attempts,
  };
}
