import { shown } from "../../definition/checks.ts";
import type { SleepDefinition } from "../../definition/definition.ts";
import { parseTime } from "../../definition/time.ts";
import { toMs } from "../../duration.ts";
import { nodeOf } from "../attempt.ts";
import type { Attempt } from "../live_run.ts";
import { argumentsOf } from "../unit_arguments.ts";
import type { Kind, KindPort } from "./kind.ts";
import { synchronous } from "./synchronous.ts";

/** Waits for a time, which is computed once and recorded. */
export const sleepKind: Kind<SleepDefinition, number> = {
  call: (attempt, task, port) => attempt.wokenBy === "time" ? -Infinity : endOf(attempt, task, port),
  end: (_attempt, at, port) =>
    at <= port.now() ? { kind: "returned", output: undefined } : { kind: "suspended", wake: { at }, reason: "sleep" },
};

function endOf(attempt: Attempt, { for: duration, until }: SleepDefinition, port: KindPort): number {
  const { id } = nodeOf(attempt);
  const what = `${duration === undefined ? "until" : "for"} of sleep "${id}"`;
  const stated = duration ?? until;
  const value = typeof stated === "function"
    ? synchronous(port.call(attempt, stated, argumentsOf(attempt)), what)
    : stated;
  return duration === undefined ? timeOf(value, what) : port.now() + toMs(value, what);
}

function timeOf(value: unknown, what: string): number {
  const at = parseTime(value);
  if (at !== undefined) return at;
  const given = value instanceof Date ? "an invalid Date" : shown(value);
  throw new RangeError(
    `${what} is not a time: ${given} (use a Date, milliseconds since the epoch or ISO 8601 text with a zone)`,
  );
}
