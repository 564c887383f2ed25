import { newChecks, shown } from "./checks.ts";
import type { TaskDefinition, WorkflowDefinition } from "./definition.ts";
import { graphOf, type WorkflowGraph } from "./graph.ts";
import type { KindReader } from "./kinds/kind.ts";
import { lazy } from "./lazy.ts";
import type { ResolvedLimit, WhenFull } from "./limit.ts";
import { checkShared } from "./read_limits.ts";
import type { Schema } from "./schema.ts";
import type { TaskList } from "./task_list.ts";
import { type Candidates, checkDependencies, checkResult, checkTaskId, type WorkflowSettings } from "./validate.ts";
import { structureOf, versionOf, type VersionSource } from "./version.ts";

/** What a workflow is created from. */
export interface WorkflowParts<Name extends string> {
  /** The name of the workflow. */
  readonly name: Name;
  /** The workflow without its tasks. */
  readonly settings: WorkflowSettings;
  /** The tasks, dependencies first. */
  readonly tasks: TaskList;
  /** The task whose output is the result; `undefined` if the result is all outputs by id. */
  readonly result: string | undefined;
  /** The workflow in whose place this one is executed, under its version. @default {undefined} none */
  readonly standsFor?: WorkflowDefinition;
}

/**
 * Returns the parts that a workflow was created from.
 *
 * @internal
 */
export let partsOf: <Name extends string>(workflow: WorkflowValue<Name>) => WorkflowParts<Name>;

/** A workflow without the methods that add tasks, which `Workflow` adds. Immutable. */
export abstract class WorkflowValue<Name extends string> implements WorkflowDefinition {
  /** The name of the workflow. */
  readonly name: Name;
  /** The purpose of the workflow. */
  readonly description: string | undefined;
  /** Tags of each run. */
  readonly tags: readonly string[];
  /** Validates the input. */
  readonly input: Schema | undefined;
  /** The maximum duration of a run in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** What bounds the runs. */
  readonly limits: readonly ResolvedLimit[];
  /** What a start does while a limit is full. */
  readonly whenFull: WhenFull;
  /** The task whose output is the result; `undefined` if the result is all outputs by id. */
  readonly result: string | undefined;
  readonly #parts: WorkflowParts<Name>;
  readonly #graph: () => WorkflowGraph = lazy(() => graphOf(this.tasks));
  readonly #version: () => string = lazy(() => this.#parts.standsFor?.version ?? versionOf(this.#source()));
  readonly #structure: () => string = lazy(() => this.#parts.standsFor?.structure ?? structureOf(this.#source()));

  static {
    partsOf = (workflow) => workflow.#parts;
  }

  /** @internal For `workflow()` and `dynamicWorkflow()`, which validate the parts. */
  constructor(parts: WorkflowParts<Name>) {
    this.name = parts.name;
    this.description = parts.settings.description;
    this.tags = parts.settings.tags;
    this.input = parts.settings.input;
    this.timeoutMs = parts.settings.timeoutMs;
    this.limits = parts.settings.limits;
    this.whenFull = parts.settings.whenFull;
    this.result = parts.result;
    this.#parts = parts;
    Object.freeze(this);
  }

  /** The tasks, dependencies first. */
  get tasks(): readonly TaskDefinition[] {
    return this.#parts.tasks.toArray();
  }

  /** Queries of the graph. */
  get graph(): WorkflowGraph {
    return this.#graph();
  }

  /** 16 hex digits over everything that determines the behaviour of a run. */
  get version(): string {
    return this.#version();
  }

  /** The same without the code of its functions. */
  get structure(): string {
    return this.#structure();
  }

  /** Returns a Mermaid flowchart of the tasks; the same as `graph.toMermaid()`. */
  toMermaid(): string {
    return this.graph.toMermaid();
  }

  /** @internal Returns the parts of this workflow with one more task. */
  protected append({ label, allowed, read }: KindReader, id: unknown, stated: unknown): WorkflowParts<Name> {
    const { name, tasks } = this.#parts;
    const checks = newChecks();
    const newId = checkTaskId(id, "a task id", checks);
    if (tasks.get(newId) !== undefined) checks.report(`there is already a task "${newId}"`);
    const options = checks.record(stated, `${label} ${shown(id)}`);
    checks.allow(options, `${label} ${shown(id)}`, allowed(options));
    const definition = read({ id: newId, workflow: name, what: `${label} "${newId}"`, options, checks });
    checkDependencies(definition, this.#candidates("an earlier task"), checks);
    checkShared(definition, { ofWorkflow: this.limits, limitedBy: tasks.limitedBy }, checks);
    checks.refuse(name);
    return { ...this.#parts, tasks: tasks.append(definition) };
  }

  /** @internal Returns the parts of this workflow with another result. */
  protected select(id: string): WorkflowParts<Name> {
    const checks = newChecks();
    checkResult(id, this.#candidates("a task of this workflow"), checks);
    checks.refuse(this.name);
    return { ...this.#parts, result: id };
  }

  #candidates(what: string): Candidates {
    const { get } = this.#parts.tasks;
    return {
      what,
      has: (id) => get(id) !== undefined,
      after: (id) => get(id)?.after ?? [],
      ids: () => this.graph.order,
    };
  }

  #source(): VersionSource {
    return { ...this.#parts.settings, name: this.name, tasks: this.tasks, result: this.result };
  }
}
