/** Commands that change one run, or all runs that match a filter. */
import type { AnyWorkflow } from "../definition/workflow.ts";
import { type BulkFilter, type BulkOptions, countMatching } from "../engine/client/bulk.ts";
import type { Client } from "../engine/client/client.ts";
import { contextOf } from "../engine/client/client_context.ts";
import type { HandleOf } from "../engine/client/handle.ts";
import { type Call, type Command, withClient } from "./call.ts";
import { FILTER_NOTES, FILTER_OPTIONS, filterOf } from "./filters.ts";
import { type CommandOptions, UsageError } from "./usage.ts";

const OPTIONS: CommandOptions = {
  ...FILTER_OPTIONS,
  all: { type: "boolean", text: "all runs" },
  yes: { type: "boolean", text: "confirm the change of more than one run" },
};

const NOTES =
  "Pass a run, filters, or --all. Without --yes the number of matching runs is printed and nothing is changed.\n" +
  `The command can be repeated: runs to which it does not apply are not changed.\n${FILTER_NOTES}`;

type Options = Pick<Call, "values" | "flags" | "lists">;

/** What a command does. */
interface Change {
  /** The verb of the command. */
  readonly verb: "cancel" | "pause" | "resume" | "retry" | "delete" | "tag";
  readonly summary: string;
  /** Options of its own. */
  readonly options?: CommandOptions;
  /** Changes one run; returns what is printed of it. @default {undefined} a run cannot be named */
  readonly one?: (run: HandleOf<AnyWorkflow>, options: Options) => Promise<Readonly<Record<string, unknown>>>;
  /** The sentence about the run, from what `one` returned. */
  readonly sentence?: (run: Readonly<Record<string, unknown>>) => string;
  /** Changes all runs that match. */
  readonly many: (
    client: Client<AnyWorkflow>,
    filter: BulkFilter,
    options: Options & { readonly more: BulkOptions },
  ) => Promise<number>;
  /** What has happened to the runs, as in "3 runs are cancelled". */
  readonly done: string;
}

/** Creates a command that changes one run or many. */
export function changeCommand({ verb, summary, options = {}, one, sentence, many, done }: Change): Command {
  return {
    name: `runs ${verb}`,
    summary,
    args: ["store", ...one === undefined ? [] : ["[run]"]],
    options: { ...options, ...OPTIONS },
    notes: NOTES,
    async execute(call) {
      const { args: { run: id }, flags, terminal } = call;
      const filters = filterOf(call);
      const isFiltered = Object.keys(filters).length > 0;
      const filter: BulkFilter = flags.has("all") ? { all: true } : filters;
      if (isFiltered && filter.all) throw new UsageError("pass filters or --all, not both");
      if (id !== undefined && (isFiltered || filter.all)) throw new UsageError("pass a run or filters, not both");
      if (id === undefined && !isFiltered && !filter.all) {
        throw new UsageError(`pass ${one === undefined ? "" : "a run, "}filters, or --all for all runs`);
      }
      return await withClient(call, [], async (client) => {
        if (id !== undefined && one !== undefined) {
          const result = await one(client.get(id), call);
          terminal.print(flags.has("json") ? JSON.stringify({ id, ...result }) : `Run "${id}" ${sentence?.(result)}.`);
          return 0;
        }
        if (!flags.has("yes")) {
          const count = await countMatching(contextOf(client)!, verb, filter);
          if (count > 1) throw new UsageError(`${count} runs match; add --yes to ${verb} them`);
        }
        const more: BulkOptions = {
          onProgress({ done, total }) {
            if (done < total) terminal.complain(`${done} of ${total} runs`);
          },
        };
        const changed = await many(client, filter, { ...call, more });
        terminal.print(
          flags.has("json")
            ? JSON.stringify({ changed })
            : `${changed} ${changed === 1 ? "run is" : "runs are"} ${done}.`,
        );
        return 0;
      });
    },
  };
}
