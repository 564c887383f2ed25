import type { Duration } from "../duration.ts";
import { Workflow } from "./builder.ts";
import { newChecks } from "./checks.ts";
import type { Limit, WhenFull } from "./limit.ts";
import type { Known } from "./options_check.ts";
import type { StorableSchema } from "./schema.ts";
import type { Outputs, Payloads, ResultIn } from "./steps.ts";
import { taskList } from "./task_list.ts";
import { readSettings, WORKFLOW_OPTIONS } from "./validate.ts";

/** Names of the options of a workflow. */
export type WorkflowOption = "description" | "input" | "tags" | "timeout" | "limits" | "whenFull" | "version";

/** Options of a workflow; `Keys` is a union of the names of those that are stated. */
export interface WorkflowOptions<Input, Sends, Keys = WorkflowOption> {
  /** The purpose of the workflow. */
  readonly description?: string;
  /** Validates the input and determines its type: any Standard Schema, or `unchecked<T>()`. */
  readonly input?: StorableSchema<Sends, Input, "input">;
  /** Tags of each run. @default {[]} */
  readonly tags?: readonly string[];
  /** The maximum duration of a run, counted from its first claim. @default {undefined} no maximum */
  readonly timeout?: Duration;
  /**
   * What bounds the runs across all runners, such as `[{ key: ({ input }) => input.tenant, max: 3 }]`: each limit must allow a
   * run. At most eight. @default {[]}
   */
  readonly limits?: readonly Limit<{ readonly input: NoInfer<Input> }>[];
  /**
   * What a start does while a limit of the workflow is full: `wait` leaves the run pending, `reject` throws, `replace`
   * cancels the oldest active run of the lane, which no limit with `per` allows. @default {"wait"}
   */
  readonly whenFull?: "limits" extends Keys ? WhenFull : "`whenFull` is only for a workflow with `limits`";
  /** Replaces the code of all tasks in the content version: change it when a task behaves differently. */
  readonly version?: string;
}

/**
 * Creates a workflow without tasks. Workflows are immutable values: each method returns a new one.
 *
 * @throws {DefinitionError} If the name or an option is invalid; `problems` lists every problem.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const etl = workflow("etl")
 *   .task("extract", { run: () => [1, 2, 3] })
 *   .task("load", { after: ["extract"], run: ({ extract }) => extract.length })
 *   .returns("load");
 * assertEquals(etl.graph.order, ["extract", "load"]);
 * ```
 */
export function workflow<const Name extends string, Input = undefined, Sends = Input, Keys extends string = never>(
  name: Name,
  options: WorkflowOptions<Input, Sends, Keys> & Known<Keys, WorkflowOption> = {},
): Workflow<Name, Input, never, never, Sends> {
  const checks = newChecks();
  checks.name(name, "its name");
  const settings = readSettings(name, { options: checks.options(options, "options", WORKFLOW_OPTIONS), checks });
  checks.refuse(name);
  return new Workflow({ name, settings, tasks: taskList([]), result: undefined });
}

/** Any workflow. */
// deno-lint-ignore no-explicit-any -- `unknown` and `never` each exclude some workflow: parameters are invariant
export type AnyWorkflow = Workflow<any, any, any, any, any>;

/** The input that a start passes. */
export type InputOf<W extends AnyWorkflow> = W["~types"]["sends"];

/** Outputs of all tasks by id; for a union of workflows, those of one of them. */
export type OutputsOf<W extends AnyWorkflow> = W extends AnyWorkflow ? Outputs<W["~types"]["steps"]> : never;

/** Payloads that can be sent to the events of a workflow, by id; for a union of workflows, to those of one of them. */
export type EventsOf<W extends AnyWorkflow> = W extends AnyWorkflow ? Payloads<W["~types"]["steps"]> : never;

/**
 * The result of a run: the output of the task that `.returns()` chose, or all outputs; for a union of workflows, the
 * result of one of them.
 */
export type ResultOf<W extends AnyWorkflow> = W extends AnyWorkflow
  ? ResultIn<W["~types"]["steps"], W["~types"]["returns"]>
  : never;
