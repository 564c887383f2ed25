/** The filters of `list()` as options of commands. */
import { parseDuration } from "../duration.ts";
import type { RunFilter } from "../engine/client/run_filter.ts";
import type { Call } from "./call.ts";
import { type CommandOptions, UsageError } from "./usage.ts";

/** Options that choose runs. */
export const FILTER_OPTIONS: CommandOptions = {
  workflow: { type: "string", value: "name", text: "only runs of this workflow" },
  version: { type: "string", value: "version", text: "only runs that started with this version of their workflow" },
  state: { type: "string", value: "state", isList: true, text: "only runs in this state; may be repeated" },
  tag: { type: "string", value: "tag", isList: true, text: "only runs with this tag; repeated, with all of them" },
  "key-prefix": { type: "string", value: "text", text: "only runs whose key begins with this text" },
  error: { type: "string", value: "text", text: "only runs whose error contains this text" },
  "failed-task": { type: "string", value: "task", text: "only runs in which this task has failed" },
  since: { type: "string", value: "time", text: "only runs created at this time or later" },
  until: { type: "string", value: "time", text: "only runs created before this time" },
  "ended-since": { type: "string", value: "time", text: "only runs that ended at this time or later" },
  "ended-until": { type: "string", value: "time", text: "only runs that ended before this time" },
  parent: { type: "string", value: "run", text: "only child runs of this run" },
  schedule: { type: "string", value: "name", text: "only runs that this schedule or poll has started" },
  parked: { type: "boolean", text: "only runs that no live runner can continue" },
};

/** What a usage text says about the values of filters. */
export const FILTER_NOTES =
  "A time is a date and time, such as 2026-11-30T09:00Z, milliseconds since the epoch, or a duration before now, such " +
  "as 2h or 7d. --state and --tag may be repeated.";

/** Returns the filter that the options of a call state. Its values are checked by the operation that receives it. */
export function filterOf({ values, lists, flags }: Pick<Call, "values" | "lists" | "flags">): RunFilter {
  const { state = [], tag = [] } = lists;
  const filter: Readonly<Record<keyof RunFilter, unknown>> = {
    workflow: values["workflow"],
    version: values["version"],
    state: state.length === 0 ? undefined : state,
    tags: tag.length === 0 ? undefined : tag,
    keyPrefix: values["key-prefix"],
    error: values["error"],
    failedTask: values["failed-task"],
    since: timeOf("--since", values["since"]),
    until: timeOf("--until", values["until"]),
    endedSince: timeOf("--ended-since", values["ended-since"]),
    endedUntil: timeOf("--ended-until", values["ended-until"]),
    parent: values["parent"],
    schedule: values["schedule"],
    parked: flags.has("parked") ? true : undefined,
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/**
 * Parses a time, or a duration before now.
 *
 * @throws {UsageError} If it is neither.
 */
export function timeOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const agoMs = /[a-z]$/.test(text) ? parseDuration(text) : undefined;
  // A date without a zone is UTC, as all times that the commands print.
  const isZoned = /(Z|[+-]\d\d:?\d\d)$/i.test(text);
  const at = agoMs !== undefined
    ? Date.now() - agoMs
    : /^\d{1,16}$/.test(text)
    ? Number(text)
    : Date.parse(isZoned || !text.includes("T") ? text : `${text}Z`);
  if (Number.isSafeInteger(at)) return at;
  throw new UsageError(
    `${option} must be a time such as 2026-11-30T09:00Z, or a duration before now such as 2h, not "${text}"`,
  );
}
