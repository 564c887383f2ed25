import type { Duration } from "../duration.ts";
import { newChecks, shown } from "./checks.ts";
import type { TaskDefinition, Trigger, WorkflowDefinition } from "./definition.ts";
import { graphOf, type WorkflowGraph } from "./graph.ts";
import type { JsonReturn } from "./json_types.ts";
import { lazy } from "./lazy.ts";
import type { Schema } from "./schema.ts";
import type { AnyStep, NewId, NoneYet, Outputs, Skipped, Step, TaskSpec } from "./steps.ts";
import { type TaskList, taskList } from "./task_list.ts";
import {
  type Candidates,
  checkDependencies,
  checkResult,
  checkTaskId,
  readSettings,
  readTask,
  TASK_OPTIONS,
  WORKFLOW_OPTIONS,
  type WorkflowSettings,
} from "./validate.ts";
import { structureOf, versionOf, type VersionSource } from "./version.ts";

/** Options of a workflow. */
export interface WorkflowOptions<Input, Sends> {
  /** What it is for. */
  readonly description?: string;
  /** Checks the input and gives it its type: any Standard Schema, or `unchecked<T>()`. */
  readonly input?:
    & Schema<Sends, Input>
    & (JsonReturn<Input, "input"> extends Input ? unknown : JsonReturn<Input, "input">);
  /** Tags that each of its runs carries. */
  readonly tags?: readonly string[];
  /** Longest a run may take. */
  readonly timeout?: Duration;
  /** Stands for the code of its tasks in the content version: change it when one behaves differently. */
  readonly version?: string;
}

/**
 * Begins a workflow: an immutable value, to which each `.task()` adds a task and gives a new one.
 *
 * @throws {DefinitionError} If the name or an option is wrong; every problem is named.
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
export function workflow<const Name extends string, Input = undefined, Sends = Input>(
  name: Name,
  options: WorkflowOptions<Input, Sends> = {},
): Workflow<Name, Input, never, never, Sends> {
  const checks = newChecks();
  checks.name(name, "its name");
  const settings = readSettings(checks.options(options, "options", WORKFLOW_OPTIONS), checks);
  checks.refuse(name);
  return new Workflow({ name, settings, tasks: taskList([]), result: undefined });
}

/** What a workflow is made from. */
export interface WorkflowParts<Name extends string> {
  /** Its name. */
  readonly name: Name;
  /** What it is but for its tasks. */
  readonly settings: WorkflowSettings;
  /** Its tasks, dependencies first. */
  readonly tasks: TaskList;
  /** The task whose output is the result. */
  readonly result: string | undefined;
}

/**
 * A named graph of typed tasks. Immutable: every method returns a new one.
 *
 * `Steps` is a union with a `Step` for each task, `Returns` the id that `.returns()` chose, `Input` what tasks see and
 * `Sends` what a starter passes, which differ where the schema fills in defaults or transforms.
 */
export class Workflow<Name extends string, Input, Steps extends AnyStep = never, Returns = never, Sends = Input>
  implements WorkflowDefinition {
  /** For the compiler only; there is no such member at run time. */
  declare readonly "~types": {
    readonly input: Input;
    readonly sends: Sends;
    // A workflow takes no more than this: without saying so, one made from data, which takes anything, would pass for
    // the supertype of every other, and swallow the others' types in a list of both.
    readonly takes: (input: Sends) => void;
    readonly steps: Steps;
    readonly returns: Returns;
  };
  /** Its name. */
  readonly name: Name;
  /** What it is for. */
  readonly description: string | undefined;
  /** Tags that each of its runs carries. */
  readonly tags: readonly string[];
  /** Checks the input. */
  readonly input: Schema | undefined;
  /** Longest a run may take, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** The task whose output is the result; without it the result is every output by id. */
  readonly result: string | undefined;
  readonly #parts: WorkflowParts<Name>;
  readonly #graph: () => WorkflowGraph = lazy(() => graphOf(this.tasks));
  readonly #version: () => string = lazy(() => versionOf(this.#source()));
  readonly #structure: () => string = lazy(() => structureOf(this.#source()));

  /** @internal For `workflow()` and `dynamicWorkflow()`, which check what they pass. */
  constructor(parts: WorkflowParts<Name>) {
    this.name = parts.name;
    this.description = parts.settings.description;
    this.tags = parts.settings.tags;
    this.input = parts.settings.input;
    this.timeoutMs = parts.settings.timeoutMs;
    this.result = parts.result;
    this.#parts = parts;
    Object.freeze(this);
  }

  /** Its tasks, dependencies first. */
  get tasks(): readonly TaskDefinition[] {
    return this.#parts.tasks.toArray();
  }

  /** Questions about the graph. */
  get graph(): WorkflowGraph {
    return this.#graph();
  }

  /** 16 hex digits over everything that makes a run behave as it does. */
  get version(): string {
    return this.#version();
  }

  /** The same without the code of its functions. */
  get structure(): string {
    return this.#structure();
  }

  /**
   * Adds a task. Its body receives the outputs of the tasks that `after` names, by id.
   *
   * @throws {DefinitionError} If the id or an option is wrong; every problem is named.
   */
  task<
    const Id extends string,
    Ret,
    const After extends readonly (Steps["id"] | NoneYet<Steps>)[] = [],
    On extends Trigger = "success",
    When extends boolean = never,
    Tx = never,
  >(
    id: NewId<Id, Steps["id"]>,
    task: TaskSpec<Input, Steps, After, On, When, Ret, Tx>,
  ): Workflow<Name, Input, Steps | Step<Id, Awaited<Ret> | Skipped<On, When>>, Returns, Sends> {
    const { name, tasks } = this.#parts;
    const checks = newChecks();
    const newId = checkTaskId(id, "a task id", checks);
    if (tasks.has(newId)) checks.report(`there is already a task "${newId}"`);
    const definition = readTask(newId, checks.options(task, `task ${shown(id)}`, TASK_OPTIONS), checks);
    checkDependencies(definition, this.#candidates("earlier task"), checks);
    checks.refuse(name);
    return new Workflow({ ...this.#parts, tasks: tasks.append(definition) });
  }

  /**
   * Chooses the result; without it the result is every output by id.
   *
   * @throws {DefinitionError} If there is no such task.
   */
  returns<Id extends Steps["id"]>(id: Id): Workflow<Name, Input, Steps, Id, Sends> {
    const checks = newChecks();
    checkResult(id, this.#candidates("task of this workflow"), checks);
    checks.refuse(this.name);
    return new Workflow({ ...this.#parts, result: id });
  }

  /** A Mermaid flowchart of its tasks; the same as `graph.toMermaid()`. */
  toMermaid(): string {
    return this.graph.toMermaid();
  }

  #candidates(what: string): Candidates {
    return { what, has: this.#parts.tasks.has, ids: () => this.graph.order };
  }

  #source(): VersionSource {
    return { ...this.#parts.settings, name: this.name, tasks: this.tasks, result: this.result };
  }
}

/** Any workflow. */
// deno-lint-ignore no-explicit-any -- `unknown` and `never` each exclude some workflow: parameters stand on both sides
export type AnyWorkflow = Workflow<any, any, any, any, any>;

/** What a starter passes. */
export type InputOf<W extends AnyWorkflow> = W["~types"]["sends"];

/** Every task's output by id; for a union of workflows, those of one of them. */
export type OutputsOf<W extends AnyWorkflow> = W extends AnyWorkflow ? Outputs<W["~types"]["steps"]> : never;

/**
 * What a run answers: the output of the task that `.returns()` chose, or all outputs; for a union of workflows, what a
 * run of one of them does.
 */
export type ResultOf<W extends AnyWorkflow> = W extends AnyWorkflow
  ? [W["~types"]["returns"]] extends [never] ? Outputs<W["~types"]["steps"]>
  : Extract<W["~types"]["steps"], { readonly id: W["~types"]["returns"] }>["output"]
  : never;
