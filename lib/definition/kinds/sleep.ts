import { shown } from "../checks.ts";
import type { SleepDefinition, TaskFunction } from "../definition.ts";
import { refuseLimits } from "../read_limits.ts";
import { ONE_ATTEMPT } from "../retry.ts";
import { parseTime } from "../time.ts";
import { GRAPH_OPTIONS, readGraphOptions, refuseUndo } from "./graph_options.ts";
import type { KindReader, TaskSource } from "./kind.ts";

/** Reads tasks that wait for a time. */
export const sleepReader: KindReader = {
  label: "sleep",
  allowed: () => ALLOWED,
  read(source): SleepDefinition {
    const { what, options, checks } = source;
    const hasFor = options["for"] !== undefined;
    const hasUntil = options["until"] !== undefined;
    refuseUndo(source);
    if (hasFor && hasUntil) checks.report(`${what} has both \`for\` and \`until\`; leave one out`);
    if (!hasFor && !hasUntil) checks.report(`${what} has no \`for\` and no \`until\`; state one`);
    return Object.freeze({
      ...readGraphOptions(source),
      kind: "sleep",
      for: readFor(source),
      until: readUntil(source),
      limits: refuseLimits(source),
      retry: ONE_ATTEMPT,
      timeoutMs: undefined,
      onSuccess: undefined,
      onFailure: undefined,
    });
  },
};

const ALLOWED: readonly string[] = [...GRAPH_OPTIONS, "limits", "undo", "for", "until"];

function readFor({ what, options, checks }: TaskSource): number | TaskFunction | undefined {
  const value = options["for"];
  return typeof value === "function" ? checks.fn<TaskFunction>(value, what) : checks.duration(value, `${what}: for`);
}

function readUntil({ what, options, checks }: TaskSource): number | TaskFunction | undefined {
  const { until } = options;
  if (until === undefined) return undefined;
  if (typeof until === "function") return checks.fn<TaskFunction>(until, what);
  const ms = parseTime(until);
  if (ms === undefined) {
    const value = until instanceof Date ? "an invalid Date" : shown(until);
    checks.report(
      `${what}: until must be a Date, milliseconds since the epoch or ISO 8601 text with a zone, not ${value}`,
    );
  }
  return ms;
}
