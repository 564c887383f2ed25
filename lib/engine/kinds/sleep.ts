import { shown } from "../../definition/checks.ts";
import type { SleepDefinition } from "../../definition/definition.ts";
import { isThenable } from "../../definition/thenable.ts";
import { parseTime } from "../../definition/time.ts";
import { toMs } from "../../duration.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { Attempt } from "../runs/live_run.ts";
import { argumentsOf } from "../execution/unit_arguments.ts";
import type { Kind, KindPort } from "./kind.ts";
import { returnedBy } from "./synchronous.ts";

/** Waits for a time, which is computed once and recorded. */
export const sleepKind: Kind<SleepDefinition, number> = {
  call: (attempt, task, port) => attempt.wokenBy === "time" ? -Infinity : endOf(attempt, task, port),
  end: (_attempt, at, port) =>
    at <= port.now() ? { kind: "returned", output: undefined } : { kind: "suspended", wake: { at }, reason: "sleep" },
};

function endOf(
  attempt: Attempt,
  { for: duration, until }: SleepDefinition,
  port: KindPort,
): number | PromiseLike<number> {
  const { id } = nodeOf(attempt);
  const what = `${duration === undefined ? "until" : "for"} of sleep "${id}"`;
  const stated = duration ?? until;
  const value = typeof stated === "function"
    ? returnedBy(stated, port.call(attempt, stated, argumentsOf(attempt)), what)
    : stated;
  const end = (known: unknown): number => duration === undefined ? timeOf(known, what) : port.now() + toMs(known, what);
  return isThenable(value) ? value.then(end) : end(value);
}

function timeOf(value: unknown, what: string): number {
  const at = parseTime(value);
  if (at !== undefined) return at;
  const given = value instanceof Date ? "an invalid Date" : shown(value);
  throw new RangeError(
    `${what} is not a time: ${given} (use a Date, milliseconds since the epoch or ISO 8601 text with a zone)`,
  );
}
