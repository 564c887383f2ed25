import type { EngineEvent, ScheduleAdvance, ScheduleFailed } from "../telemetry/engine_events.ts";
import type { ScheduleEvent } from "./schedule_events.ts";
import type { LostTick } from "./stored.ts";

/** Returns the events that users receive for an event of the engine. */
export function scheduleEvents(
  event: Extract<
    EngineEvent,
    { readonly type: "scheduleAdvanced" | "scheduleFailed" | "pollChecked" | "checkDropped" }
  >,
  at: number,
): readonly ScheduleEvent[] {
  switch (event.type) {
    case "scheduleAdvanced":
      return advanceEvents(event.advance, at);
    case "scheduleFailed":
      return failureEvents(event.failure, at);
    case "pollChecked": {
      const { schedule, workflow, runIds, isFailed, ms } = event;
      // A check that has failed has its own event.
      return isFailed ? [] : [{ type: "poll.checked", schedule, workflow, at, runIds, tookMs: ms }];
    }
    case "checkDropped":
      return [{ type: "poll.dropped", schedule: event.schedule, workflow: event.workflow, at }];
  }
}

function advanceEvents(advance: ScheduleAdvance, at: number): readonly ScheduleEvent[] {
  const { schedule, workflow, runs } = advance;
  const fields = { schedule, workflow, at };
  const lost = (outcome: LostTick["outcome"]): readonly ScheduleEvent[] => {
    const ticks = advance.lost.flatMap((lost) => lost.outcome === outcome ? [lost.tick] : []);
    const count = advance[outcome];
    return count === 0 ? [] : [{ type: `schedule.${outcome}`, ...fields, ticks, count }];
  };
  return [
    ...lost("missed"),
    ...lost("overlapped"),
    ...lost("failed"),
    ...runs.map(({ id, tick, lateMs }): ScheduleEvent => ({
      type: "schedule.started",
      ...fields,
      tick,
      runId: id,
      lateMs,
    })),
  ];
}

function failureEvents(
  { schedule, workflow, tick, message, retryAt }: ScheduleFailed,
  at: number,
): readonly ScheduleEvent[] {
  // A tick that is given up is among those that have started no runs.
  if (retryAt === undefined) return [];
  const fields = { schedule, workflow, at, message, dueAt: retryAt };
  return [tick === undefined ? { type: "poll.failed", ...fields } : { type: "schedule.retrying", ...fields, tick }];
}
