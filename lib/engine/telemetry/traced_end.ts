import { TaskTimeoutError } from "../../errors.ts";
import type { AttemptEnd } from "../runs/attempt.ts";
import type { Attempt } from "../runs/live_run.ts";
import type { TracedEnd } from "./tracing.ts";

/** Converts the end of an attempt to the form that tracing receives. */
export function tracedEnd({ aborted }: Attempt, end: AttemptEnd): TracedEnd {
  switch (end.kind) {
    case "returned":
    case "committed":
    case "suspended":
    case "spawned":
    case "expanded":
    case "repeated":
      return { kind: "completed" };
    case "declined":
      return { kind: "skipped" };
    case "failed":
      return { kind: "failed", thrown: end.thrown };
    case "fenced":
      return { kind: "aborted", reason: aborted?.reason };
    case "threw":
      // A time-out is the attempt's own end; whatever else aborts it concerns its run.
      return aborted === undefined || aborted.reason instanceof TaskTimeoutError
        ? { kind: "failed", thrown: end.thrown }
        : { kind: "aborted", reason: aborted.reason };
  }
}
