import type { TaskDefinition, TaskKind } from "../../definition/definition.ts";
import { eventKind } from "./event.ts";
import type { Kind } from "./kind.ts";
import { mapKind } from "./map.ts";
import { sleepKind } from "./sleep.ts";
import { subworkflowKind } from "./subworkflow.ts";
import { taskKind } from "./task.ts";
import { transactionKind } from "./transaction.ts";

type Kinds = { readonly [K in TaskKind]: Kind<Extract<TaskDefinition, { readonly kind: K }>> };

const kinds: Kinds = {
  task: taskKind,
  transaction: transactionKind,
  map: mapKind,
  subworkflow: subworkflowKind,
  event: eventKind,
  sleep: sleepKind,
};

/** Returns what the units of a task do. */
export function kindOf(task: TaskDefinition): Kind<TaskDefinition> {
  // The compiler does not relate the key to the type of the task.
  return kinds[task.kind] as Kind<TaskDefinition>;
}
