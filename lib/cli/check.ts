import { contextOf } from "../engine/client/client_context.ts";
import { type Command, withClient } from "./call.ts";
import { printable } from "./printable.ts";

/** The exit code if a check has found problems. */
export const PROBLEMS_FOUND = 6;

/** Checks the integrity of a store. */
export const check: Command = {
  name: "check",
  summary: "Checks the tables against their invariants, the indexes, and the settings of the file or the server",
  args: ["store"],
  options: {},
  notes: "Reads all rows, in short statements, and changes nothing. The exit code is 0 if nothing is wrong, or else 6.",
  async execute(call) {
    const { flags, terminal } = call;
    const problems = await withClient(call, [], (client) => contextOf(client)!.store.check());
    if (flags.has("json")) terminal.print(JSON.stringify({ problems }));
    else if (problems.length === 0) terminal.print("No problems found.");
    else for (const problem of problems) terminal.print(printable(problem));
    return problems.length === 0 ? 0 : PROBLEMS_FOUND;
  },
};
