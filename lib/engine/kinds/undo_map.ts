import type { MapDefinition } from "../../definition/definition.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { UndoneChild } from "../runs/child_outcome.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import type { Kind } from "./kind.ts";
import { mapKind } from "./map.ts";
import { undoChildKind } from "./undo_child.ts";

/** Undoes the items of a map, each by itself; those with nothing to undo are left out. */
export const undoMapKind: Kind<MapDefinition> = {
  call(attempt, task, port) {
    if (attempt.unit.item === NO_ITEM) return undefined;
    if (task.each.kind === "subworkflow") return undoChildKind.call(attempt, task, port);
    return mapKind.call(attempt, task, port);
  },
  end(attempt, value, port, task) {
    if (attempt.unit.item === NO_ITEM) {
      const { total, omitted } = nodeOf(attempt).undo!;
      return { kind: "expanded", items: total, text: undefined, omitted };
    }
    // Only `call` makes the value.
    if (task.each.kind === "subworkflow") return undoChildKind.end(attempt, value as UndoneChild, port, task);
    return mapKind.end(attempt, value, port, task);
  },
};
