import { type ClientContext, contextOf } from "../engine/client/client_context.ts";
import { decodeJson } from "../definition/json.ts";
import { type ItemInfo, listItems } from "../engine/reading/item_list.ts";
import { type Command, withClient } from "./call.ts";

/** Items that are read together, with their steps and child runs. */
const ITEMS_AT_ONCE = 200;

/** Prints a run with everything that is recorded of it. */
export const exportRun: Command = {
  name: "runs export",
  summary: "Prints a run as JSON: its input, tasks, items, steps, outputs, errors, child runs and history",
  args: ["store", "run"],
  options: {},
  notes: "The output is one JSON object over several lines, for maps of any size: " +
    "{ run, tasks, items: { [task]: [ … ] }, children, history }. Times are milliseconds since the epoch.",
  async execute(call) {
    const { args: { run: id = "" }, terminal } = call;
    await withClient(call, [], async (client) => {
      const run = client.get(id);
      const status = await run.status();
      const [tasks, children, history] = [await run.tasks(), await run.children(), await run.history()];
      terminal.print(`{"run":${JSON.stringify(status)},`);
      terminal.print(`"tasks":${JSON.stringify(tasks)},`);
      terminal.print(`"items":{`);
      const maps = tasks.filter(({ items }) => items !== undefined);
      for (const [at, { id: taskId }] of maps.entries()) {
        terminal.print(`${at === 0 ? "" : ","}${JSON.stringify(taskId)}:[`);
        let isFirst = true;
        for await (const items of pagesOf(contextOf(client)!, { runId: id, taskId })) {
          terminal.print(`${isFirst ? "" : ","}${items.map((item) => JSON.stringify(item)).join(",\n")}`);
          isFirst = false;
        }
        terminal.print("]");
      }
      terminal.print(`},`);
      terminal.print(`"children":${JSON.stringify(children)},`);
      terminal.print(`"history":${JSON.stringify(history)}}`);
    });
    return 0;
  },
};

/** An item with the steps of its body and the run that it started. */
interface ExportedItem extends ItemInfo {
  readonly steps: readonly { readonly name: string; readonly output: unknown }[];
  readonly childRunId: string | undefined;
}

async function* pagesOf(
  context: ClientContext,
  { runId, taskId }: { readonly runId: string; readonly taskId: string },
): AsyncGenerator<readonly ExportedItem[], void, void> {
  const { store, reader } = context;
  const { seq } = await reader.row(runId);
  let cursor: string | undefined;
  do {
    const options = { limit: ITEMS_AT_ONCE, ...cursor === undefined ? {} : { cursor } };
    const page = await listItems(context, runId, { taskId, options });
    const indexes = page.items.map(({ index }) => index);
    const [steps, children] = await Promise.all([
      store.outputs(indexes.map((item) => ({ seq, task: taskId, of: "steps", item }))),
      store.inspection.taskChildren({ parent: seq, tasks: [taskId], items: indexes }),
    ]);
    const stepsByItem = Map.groupBy(steps, ({ item }) => item);
    const childByItem = new Map(children.map(({ id, parent }) => [parent?.item, id]));
    const stepsOf = (index: number): ExportedItem["steps"] =>
      (stepsByItem.get(index) ?? []).map(({ step: name, output }) => ({
        name,
        output: decodeJson(output, `the output of step "${name}"`, taskId),
      }));
    if (page.items.length > 0) {
      yield page.items.map((item) => ({
        ...item,
        steps: stepsOf(item.index),
        childRunId: childByItem.get(item.index),
      }));
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
}
