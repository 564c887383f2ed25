import type { Checks, Options } from "../checks.ts";
import type { TaskDefinition } from "../definition.ts";

/** What the definition of a task is read from. */
export interface TaskSource {
  /** Id of the task. */
  readonly id: string;
  /** Name of the workflow. */
  readonly workflow: string;
  /** The beginning of each message, such as `task "load"`. */
  readonly what: string;
  /** The options of the task. */
  readonly options: Options;
  /** Receives problems. */
  readonly checks: Checks;
}

/** How the definitions of one kind of task are read. */
export interface KindReader {
  /** The kind, in messages. */
  readonly label: string;
  /** Names of the options of a task, which may depend on what it states. */
  allowed(options: Options): readonly string[];
  /** Reads the definition of a task; problems go to the checks. */
  read(source: TaskSource): TaskDefinition;
}
