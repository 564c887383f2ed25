import type { ListOptions } from "../engine/client/list.ts";
import { type Command, withClient } from "./call.ts";
import { FILTER_NOTES, FILTER_OPTIONS, filterOf } from "./filters.ts";
import { columns, shortened } from "./printable.ts";

/** Runs that are read together. */
const PAGE = 500;

/** The most different messages that are told apart; runs with others are counted together. */
const MOST_GROUPS = 1_000;

/** Failed runs with the same error. */
interface Group {
  readonly error: string;
  count: number;
  /** The run that was inserted last, and its workflow. */
  readonly latestRun: string;
  readonly workflow: string;
  /** When the first and the last of them ended, in milliseconds since the epoch. */
  firstEndedAt: number;
  lastEndedAt: number;
}

/** Groups failed runs by their error. */
export const failures: Command = {
  name: "runs failures",
  summary: "Groups failed runs by the message of their error, the most frequent first",
  args: ["store"],
  options: Object.fromEntries(Object.entries(FILTER_OPTIONS).filter(([name]) => name !== "state")),
  notes:
    `A filter --error=<text> with a part of a message chooses the runs of a group, as for runs retry.\n${FILTER_NOTES}`,
  async execute(call) {
    const { flags, terminal } = call;
    const filter = { ...filterOf(call), state: "failed" } as const;
    const groups = new Map<string, Group>();
    await withClient(call, [], async (client) => {
      let cursor: string | undefined;
      do {
        const options: ListOptions = { ...filter, limit: PAGE, ...cursor === undefined ? {} : { cursor } };
        const page = await client.list(options);
        for (const { id, workflow, error, endedAt = 0 } of page.runs) {
          const stated = error === undefined ? "no error is recorded" : `${error.name}: ${error.message}`;
          const text = groups.has(stated) || groups.size < MOST_GROUPS ? stated : "(other errors)";
          const group = groups.get(text);
          if (group === undefined) {
            const [firstEndedAt, lastEndedAt] = [endedAt, endedAt];
            groups.set(text, { error: text, count: 1, latestRun: id, workflow, firstEndedAt, lastEndedAt });
            continue;
          }
          group.count++;
          group.firstEndedAt = Math.min(group.firstEndedAt, endedAt);
          group.lastEndedAt = Math.max(group.lastEndedAt, endedAt);
        }
        cursor = page.cursor;
      } while (cursor !== undefined);
    });
    const found = [...groups.values()].sort((a, b) => b.count - a.count);
    if (flags.has("json")) terminal.print(JSON.stringify({ failures: found }));
    else for (const line of shown(found)) terminal.print(line);
    return 0;
  },
};

function shown(groups: readonly Group[]): readonly string[] {
  if (groups.length === 0) return ["No failed runs match."];
  const rows = groups.map(({ error, count, latestRun, workflow, firstEndedAt, lastEndedAt }) => [
    String(count),
    shortened(error),
    workflow,
    new Date(firstEndedAt).toISOString(),
    new Date(lastEndedAt).toISOString(),
    latestRun,
  ]);
  return columns([["RUNS", "ERROR", "WORKFLOW", "FIRST", "LAST", "LATEST RUN"], ...rows]);
}
