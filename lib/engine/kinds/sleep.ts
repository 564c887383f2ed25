import { shown } from "../../definition/checks.ts";
import type { SleepDefinition } from "../../definition/definition.ts";
import { parseTime } from "../../definition/time.ts";
import { toMs } from "../../duration.ts";
import { nodeOf } from "../attempt.ts";
import type { Attempt } from "../live_run.ts";
import { argumentsOf } from "../unit_arguments.ts";
import type { Kind, KindPort } from "./kind.ts";

/** Waits for a time, which is computed once and recorded. */
export const sleepKind: Kind<SleepDefinition, number> = {
  call: (attempt, task, port) => attempt.wokenBy === "time" ? -Infinity : endOf(attempt, task, port),
  end: (_attempt, at, port) =>
    at <= port.now() ? { kind: "returned", output: undefined } : { kind: "suspended", wake: { at }, reason: "sleep" },
};

function endOf(attempt: Attempt, { for: duration, until }: SleepDefinition, port: KindPort): number {
  const { id } = nodeOf(attempt);
  if (duration !== undefined) return port.now() + toMs(valueOf(attempt, duration, port), `for of sleep "${id}"`);
  return timeOf(valueOf(attempt, until, port), `until of sleep "${id}"`);
}

function valueOf(attempt: Attempt, value: SleepDefinition["for"], port: KindPort): unknown {
  if (typeof value !== "function") return value;
  return port.call(attempt, value, argumentsOf(attempt));
}

function timeOf(value: unknown, what: string): number {
  const at = parseTime(value);
  if (at !== undefined) return at;
  const given = value instanceof Date ? "an invalid Date" : shown(value);
  throw new RangeError(
    `${what} is not a time: ${given} (use a Date, milliseconds since the epoch or ISO 8601 text with a zone)`,
  );
}
