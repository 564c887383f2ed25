import type { RunInfo } from "../engine/reading/run_info.ts";
import { type Command, withClient } from "./call.ts";
import { FILTER_NOTES, FILTER_OPTIONS, filterOf } from "./filters.ts";
import { columns, printable, shortened } from "./printable.ts";
import { UsageError } from "./usage.ts";

/** Lists runs. */
export const list: Command = {
  name: "runs list",
  summary: "Lists runs, newest first",
  args: ["store"],
  options: {
    ...FILTER_OPTIONS,
    limit: { type: "string", value: "number", text: "the page size, from 1 to 1000 (default: 50)" },
    cursor: { type: "string", value: "cursor", text: "the next page: the cursor that the previous page printed" },
    input: { type: "boolean", text: "with the inputs of the runs" },
  },
  notes: FILTER_NOTES,
  async execute(call) {
    const { values: { limit, cursor }, flags, terminal } = call;
    if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) {
      throw new UsageError(`--limit must be a number from 1 to 1000, not "${limit}"`);
    }
    const options = {
      ...filterOf(call),
      ...limit === undefined ? {} : { limit: Number(limit) },
      ...cursor === undefined ? {} : { cursor },
      input: flags.has("input"),
    };
    const page = await withClient(call, [], (client) => client.list(options));
    if (flags.has("json")) terminal.print(JSON.stringify(page));
    else for (const line of shown(page.runs, page.cursor)) terminal.print(line);
    return 0;
  },
};

function shown(runs: readonly RunInfo[], cursor: string | undefined): readonly string[] {
  if (runs.length === 0) return ["No runs match."];
  const hasErrors = runs.some(({ error }) => error !== undefined);
  const hasInputs = runs.some((run) => "input" in run);
  const heads = ["RUN", "STATE", "CREATED", "WORKFLOW", "KEY", "TAGS", ...hasErrors ? ["ERROR"] : []];
  const rows = runs.map(({ id, state, workflow, createdAt, key, tags, error, input }) => [
    id,
    state,
    new Date(createdAt).toISOString(),
    workflow,
    key ?? "-",
    tags.join(", "),
    ...hasErrors ? [shortened(error?.message ?? "")] : [],
    ...hasInputs ? [shortened(JSON.stringify(input) ?? "")] : [],
  ]);
  const more = cursor === undefined ? [] : ["", `More runs: --cursor=${printable(cursor)}`];
  return [...columns([[...heads, ...hasInputs ? ["INPUT"] : []], ...rows]), ...more];
}
