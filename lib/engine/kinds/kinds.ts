import type { TaskDefinition, TaskKind } from "../../definition/definition.ts";
import { eventKind } from "./event.ts";
import type { Kind } from "./kind.ts";
import { sleepKind } from "./sleep.ts";
import { taskKind } from "./task.ts";
import { transactionKind } from "./transaction.ts";

type Kinds = { readonly [K in TaskKind]: Kind<Extract<TaskDefinition, { readonly kind: K }>> };

/** Takes the place of a kind that is not implemented yet. */
const missing: Kind<TaskDefinition> = {
  call(_attempt, { kind }) {
    throw new Error(`Cannot run a task of kind "${kind}": it is not implemented`);
  },
  end: () => ({ kind: "returned", output: undefined }),
};

const kinds: Kinds = {
  map: missing,
  task: taskKind,
  transaction: transactionKind,
  event: eventKind,
  sleep: sleepKind,
};

/** Returns what the units of a task do. */
export function kindOf(task: TaskDefinition): Kind<TaskDefinition> {
  // The compiler does not relate the key to the type of the task.
  return kinds[task.kind] as Kind<TaskDefinition>;
}
