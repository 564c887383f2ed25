import type { Resolution } from "../engine/client/resolve.ts";
import { type Call, type Command, parseJson, withClient } from "./call.ts";
import { UsageError } from "./usage.ts";

/** Decides about a blocked task. */
export const resolve: Command = {
  name: "resolve",
  summary: "Resolves a blocked task: one that runs at most once, and whose attempt ended without a result",
  args: ["store", "run", "task"],
  options: {
    output: { type: "string", value: "json", text: "the task completes with this output" },
    error: { type: "string", value: "text", text: "the task fails with this error" },
    retry: { type: "boolean", text: "the task gets another attempt" },
    item: { type: "string", value: "index", text: "the item, if the task is a map" },
  },
  async execute(call) {
    const { args: { run = "", task = "" }, values: { item }, flags, terminal } = call;
    const resolution = resolutionOf(call);
    if (item !== undefined && !/^\d{1,9}$/.test(item)) throw new UsageError(`--item must be an index, not "${item}"`);
    const options = item === undefined ? {} : { item: Number(item) };
    await withClient(call, [], (client) => client.get(run).resolve(task, resolution, options));
    terminal.print(flags.has("json") ? JSON.stringify({ resolved: true }) : `Task "${task}" is resolved.`);
    return 0;
  },
};

function resolutionOf({ values: { output, error }, flags }: Call): Resolution {
  const stated = [output !== undefined, error !== undefined, flags.has("retry")].filter((is) => is).length;
  if (stated !== 1) throw new UsageError("pass one of --output=<json>, --error=<text> and --retry");
  if (output !== undefined) return { output: parseJson(output, "--output") };
  return error === undefined ? { retry: true } : { error };
}
