import type { TaskDefinition, TaskKind } from "../../definition/definition.ts";
import { eventKind } from "./event.ts";
import type { Kind } from "./kind.ts";
import { mapKind } from "./map.ts";
import { sleepKind } from "./sleep.ts";
import type { Node } from "../machine/plan.ts";
import { subworkflowKind } from "./subworkflow.ts";
import { taskKind } from "./task.ts";
import { transactionKind } from "./transaction.ts";
import { undoChildKind } from "./undo_child.ts";
import { undoMapKind } from "./undo_map.ts";

type Kinds = { readonly [K in TaskKind]: Kind<Extract<TaskDefinition, { readonly kind: K }>> };

const kinds: Kinds = {
  task: taskKind,
  transaction: transactionKind,
  map: mapKind,
  subworkflow: subworkflowKind,
  event: eventKind,
  sleep: sleepKind,
};

// An undo of a task with a body is a body like any other.
const undoKinds = { ...kinds, map: undoMapKind, subworkflow: undoChildKind };

/** Returns what the units of a node do. */
export function kindOf({ task, undo }: Pick<Node, "task" | "undo">): Kind<TaskDefinition> {
  const kind = undo === undefined ? kinds[task.kind] : undoKinds[task.kind];
  // The compiler does not relate the key to the type of the task.
  return kind as Kind<TaskDefinition>;
}
