import type { ErrorRecord } from "../../errors.ts";
import type { EngineEvent, Observer } from "./engine_events.ts";

const LONGEST_LINE = 500;

/** The types of events that are reported where a runner has no logger. */
export const REPORTED: readonly EngineEvent["type"][] = [
  "runEnded",
  "runGivenUp",
  "runAbandoned",
  "runParked",
  "undoFailed",
  "leaseLost",
];

/**
 * The reports of a runner without a logger: one line on `console.error` for each failed run and each failed undo, one on `console.warn` for
 * each parked run and for a lost lease.
 */
export function createConsoleReports(write: Pick<Console, "error" | "warn"> = console): Observer {
  return (event) => {
    switch (event.type) {
      case "runEnded": {
        const { run, end } = event;
        if (end.state === "failed") failed(run.id, run.plan.workflow.name, end.error);
        return;
      }
      case "runGivenUp":
        return failed(event.run.id, event.run.workflow, event.error);
      case "runAbandoned":
        return write.error(line(`Cannot save results of run "${event.run.id}": ${event.error.message}`));
      case "runParked":
        return write.warn(line(`Run "${event.run.id}" of workflow "${event.run.workflow}" is parked: ${event.reason}`));
      case "undoFailed":
        return write.error(line(event.message));
      case "leaseLost":
        return write.warn(
          line("The lease of the runner expired: its runs are released, and other runners can claim them"),
        );
    }
  };

  function failed(id: string, workflow: string, error: ErrorRecord | undefined): void {
    const why = error === undefined ? "" : `: ${error.name}: ${error.message}`;
    write.error(line(`Run "${id}" of workflow "${workflow}" failed${why}`));
  }
}

function line(text: string): string {
  // Control characters could move the cursor of a terminal, and bidirectional ones turn text around.
  const flat = `sluice: ${text}`.replaceAll(/\s+/g, " ").replaceAll(/\p{Cc}|\p{Bidi_Control}|\p{Cs}/gu, "\ufffd");
  return flat.length <= LONGEST_LINE ? flat : `${flat.slice(0, LONGEST_LINE)}…`;
}
