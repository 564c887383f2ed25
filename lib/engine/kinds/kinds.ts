import type { TaskKind } from "../../definition/definition.ts";
import type { Kind } from "./kind.ts";
import { taskKind } from "./task.ts";
import { transactionKind } from "./transaction.ts";

/** What units do, by the kind of their task. */
export const kinds: Readonly<Record<TaskKind, Kind>> = {
  task: taskKind,
  transaction: transactionKind,
};
