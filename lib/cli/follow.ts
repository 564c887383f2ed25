import type { ExecutionEvent } from "../engine/reading/events.ts";
import { type Command, withClient } from "./call.ts";
import { printable } from "./printable.ts";

/** The exit code if the run failed. */
export const RUN_FAILED = 4;

/** The exit code if the run was cancelled. */
export const RUN_CANCELLED = 5;

/** Prints the events of a run. */
export const follow: Command = {
  name: "runs follow",
  summary: "Prints the events of a run, past and future ones, until the run ends",
  args: ["store", "run"],
  options: {},
  notes:
    "The exit code is 0 if the run completed, 4 if it failed, 5 if it was cancelled. With --json each line is an event.",
  async execute(call) {
    const { args: { run: id = "" }, flags, terminal } = call;
    return await withClient(call, [], async (client) => {
      const run = client.get(id);
      for await (const event of run.events()) {
        terminal.print(flags.has("json") ? JSON.stringify(event) : lineOf(event));
      }
      const { state } = await run.status();
      if (state === "completed") return 0;
      return state === "cancelled" ? RUN_CANCELLED : RUN_FAILED;
    });
  },
};

function lineOf(event: ExecutionEvent): string {
  const place = !("taskId" in event)
    ? []
    : [event.item === undefined ? event.taskId : `${event.taskId} [${event.item}]`];
  const attempt = "taskId" in event && event.attempt > 1 ? [`attempt ${event.attempt}`] : [];
  const parts = [new Date(event.at).toISOString(), event.type, ...place, ...attempt, ...detailOf(event)];
  return printable(parts.join("  "));
}

function detailOf(event: ExecutionEvent): readonly string[] {
  return [
    ..."error" in event ? [`${event.error.name}: ${event.error.message}`] : [],
    ..."reason" in event && event.reason !== undefined ? [event.reason] : [],
    ..."done" in event ? [`${event.done}${event.total === undefined ? "" : ` of ${event.total}`}`] : [],
    ..."message" in event && event.message !== undefined ? [event.message] : [],
    ..."dueAt" in event ? [`next attempt ${new Date(event.dueAt).toISOString()}`] : [],
    ..."crashes" in event ? [`runner crashes: ${event.crashes}`] : [],
  ];
}
