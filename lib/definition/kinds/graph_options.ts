import type { TaskSource } from "./kind.ts";
import type { CommonDefinition, TaskFunction, Trigger } from "../definition.ts";

/** Names of the options that tasks of all kinds have. */
export const GRAPH_OPTIONS: readonly string[] = ["after", "reads", "on", "when", "version"];

/** Reports the option `undo` of a task that has no body of its own. */
export function refuseUndo({ what, options, checks }: TaskSource): void {
  if (options["undo"] === undefined) return;
  const remedy = options["workflow"] === undefined
    ? "put the `undo` on the task that has the effects"
    : "give the tasks of its workflow an `undo`, and omit this one";
  checks.report(`${what}: undo is only for tasks and maps with \`run\`; ${remedy}`);
}

/** The part of a definition that the options of all kinds determine. */
export type GraphPart = Pick<CommonDefinition, "id" | "after" | "reads" | "on" | "when" | "version">;

/** Reads the options that tasks of all kinds have. `checkDependencies` checks the ids in `after` and `reads`. */
export function readGraphOptions({ id, what, options, checks }: TaskSource): GraphPart {
  const { on, when, version } = options;
  const after = checks.list(options["after"], `${what}: after`, "task ids");
  const reads = checks.list(options["reads"], `${what}: reads`, "task ids");
  return {
    id,
    after,
    // A direct dependency is read anyway.
    reads: Object.freeze(reads.filter((id) => !after.includes(id))),
    on: checks.word(on, `${what}: on`, TRIGGERS) ?? "success",
    when: checks.fn<TaskFunction>(when, `${what}: when`),
    version: checks.version(version, `${what}: version`),
  };
}

// A record instead of a list: a trigger that is missing here does not compile.
const TRIGGERS: Record<Trigger, true> = {
  success: true,
  allSucceeded: true,
  settled: true,
  anySucceeded: true,
  anyFailed: true,
  allFailed: true,
};
