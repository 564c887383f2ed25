import { type Command, withClient } from "./call.ts";
import { UsageError } from "./usage.ts";

/** Deletes a run. */
export const deleteRun: Command = {
  name: "runs delete",
  summary: "Deletes a run that has ended, with its child runs and all that is recorded of them",
  args: ["store", "run"],
  options: { yes: { type: "boolean", text: "delete the child runs, too" } },
  notes: "A run that has started child runs is deleted only with --yes.",
  async execute(call) {
    const { args: { run: id = "" }, flags, terminal } = call;
    await withClient(call, [], async (client) => {
      const run = client.get(id);
      const { length } = await run.children();
      if (length > 0 && !flags.has("yes")) {
        throw new UsageError(`run "${id}" has started child runs, which would be deleted, too; add --yes to do so`);
      }
      await run.delete();
    });
    terminal.print(flags.has("json") ? JSON.stringify({ id, deleted: true }) : `Run "${id}" is deleted.`);
    return 0;
  },
};
