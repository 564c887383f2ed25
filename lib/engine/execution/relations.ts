import { nodeOf } from "../runs/attempt.ts";
import type { ExecutorOptions } from "./executor_options.ts";
import type { KindPort } from "../kinds/kind.ts";

/** Returns what kinds need of the child runs and messages of their units. */
export function relationsOf(
  { store, children, emit }: Pick<ExecutorOptions, "store" | "children" | "emit">,
): Pick<KindPort, "findChild" | "undoChild" | "closeMailbox"> {
  return {
    async findChild({ unit }) {
      const wait = { parent: unit.run.seq, task: nodeOf({ unit }).id, item: unit.item };
      return (await children.read([wait]))[0];
    },
    async undoChild({ unit, unit: { run } }) {
      const wait = { parent: run.seq, epoch: run.epoch, task: nodeOf({ unit }).id, item: unit.item };
      const child = await children.undo(wait, `its parent run "${run.id}" is compensated`);
      if (child.kind === "live") emit({ type: "childrenStarted", run });
      return child;
    },
    closeMailbox: (attempt) => store.closeMailbox(attempt.unit.run.seq, nodeOf(attempt).id),
  };
}
