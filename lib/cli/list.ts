import { parseDuration } from "../duration.ts";
import type { ListOptions } from "../engine/list.ts";
import type { RunInfo } from "../engine/run_info.ts";
import { type Call, type Command, withClient } from "./call.ts";
import { columns, printable } from "./printable.ts";
import { UsageError } from "./usage.ts";

/** Lists runs. */
export const list: Command = {
  name: "runs list",
  summary: "Lists runs, newest first",
  args: ["store"],
  options: {
    workflow: { type: "string", value: "name", text: "only runs of this workflow" },
    state: { type: "string", value: "state", isList: true, text: "only runs in this state, or in one of several" },
    tag: { type: "string", value: "tag", isList: true, text: "only runs with this tag, or with all of several" },
    "key-prefix": { type: "string", value: "text", text: "only runs whose key begins with this text" },
    since: { type: "string", value: "time", text: "only runs that were inserted at this time or later" },
    until: { type: "string", value: "time", text: "only runs that were inserted before this time" },
    limit: { type: "string", value: "number", text: "at most so many runs, up to 1000 (default: 50)" },
    cursor: { type: "string", value: "cursor", text: "the next page, by what the page before printed" },
  },
  notes:
    "A time is a date and time, such as 2026-11-30T09:00Z, milliseconds since the epoch, or a duration before now, such " +
    "as 2h or 7d. --state and --tag may be stated several times.",
  async execute(call) {
    const { flags, terminal } = call;
    const options = optionsOf(call);
    const { runs, cursor } = await withClient(call, [], (client) => client.list(options));
    if (flags.has("json")) terminal.print(JSON.stringify({ runs, cursor }));
    else for (const line of shown(runs, cursor)) terminal.print(line);
    return 0;
  },
};

function optionsOf({ values, lists }: Call): ListOptions {
  const { workflow, "key-prefix": keyPrefix, since, until, limit, cursor } = values;
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) {
    throw new UsageError(`--limit must be a number from 1 to 1000, not "${limit}"`);
  }
  const { state = [], tag = [] } = lists;
  const options: Record<keyof ListOptions, unknown> = {
    workflow,
    // What is stated by users is checked by list().
    state: state.length === 0 ? undefined : state,
    tags: tag.length === 0 ? undefined : tag,
    keyPrefix,
    since: timeOf("--since", since),
    until: timeOf("--until", until),
    limit: limit === undefined ? undefined : Number(limit),
    cursor,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
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

function shown(runs: readonly RunInfo[], cursor: string | undefined): readonly string[] {
  if (runs.length === 0) return ["No runs match."];
  const rows = runs.map(({ id, state, workflow, createdAt, key, tags }) => [
    id,
    state,
    new Date(createdAt).toISOString(),
    workflow,
    key ?? "-",
    tags.join(", "),
  ]);
  const more = cursor === undefined ? [] : ["", `More runs: --cursor=${printable(cursor)}`];
  return [...columns([["RUN", "STATE", "CREATED", "WORKFLOW", "KEY", "TAGS"], ...rows]), ...more];
}
