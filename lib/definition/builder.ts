import type { Duration } from "../duration.ts";
import { newChecks, shown } from "./checks.ts";
import type { TaskDefinition, Trigger, WorkflowDefinition } from "./definition.ts";
import { graphOf, type WorkflowGraph } from "./graph.ts";
import type { NotYet } from "./json_types.ts";
import type { KindReader } from "./kinds/kind.ts";
import { eventReader } from "./kinds/event.ts";
import { sleepReader } from "./kinds/sleep.ts";
import { taskReader } from "./kinds/task.ts";
import { lazy } from "./lazy.ts";
import type { Known, Stray } from "./options_check.ts";
import type { Schema } from "./schema.ts";
import type {
  EventOption,
  EventSpec,
  MissingInEvent,
  MissingInSleep,
  MissingInTask,
  SleepOption,
  SleepSpec,
  TaskOption,
  TaskSpec,
} from "./specs.ts";
import type {
  Added,
  Ancestors,
  AnyOutput,
  AnyStep,
  ArgsOf,
  EventStep,
  NewId,
  Skipped,
  SleepStep,
  Step,
  SureAncestors,
} from "./steps.ts";
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
}

/**
 * A named graph of typed tasks. Immutable: every method returns a new workflow.
 *
 * `Steps` is a union with a `Step` for each task, `Returns` the id that `.returns()` chose, `Input` the input that tasks
 * receive and `Sends` the input that a start passes, which differ if the schema adds defaults or transforms.
 */
export class Workflow<Name extends string, Input, Steps extends AnyStep = never, Returns = never, Sends = Input>
  implements WorkflowDefinition {
  /** For the compiler only; this member does not exist at run time. */
  declare readonly "~types": {
    readonly input: Input;
    readonly sends: Sends;
    // Makes the input contravariant: otherwise a dynamic workflow, which takes any input, would be the supertype of all
    // workflows, and a list of both would lose the types of the others.
    readonly takes: (input: Sends) => void;
    readonly steps: Steps;
    readonly returns: Returns;
  };
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
  /** The task whose output is the result; `undefined` if the result is all outputs by id. */
  readonly result: string | undefined;
  readonly #parts: WorkflowParts<Name>;
  readonly #graph: () => WorkflowGraph = lazy(() => graphOf(this.tasks));
  readonly #version: () => string = lazy(() => versionOf(this.#source()));
  readonly #structure: () => string = lazy(() => structureOf(this.#source()));

  /** @internal For `workflow()` and `dynamicWorkflow()`, which validate the parts. */
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

  /**
   * Adds a task with a body, which receives the outputs of the tasks in `after` by id.
   *
   * @throws {DefinitionError} If the id or an option is invalid; `problems` lists every problem.
   */
  task<
    const Id extends string,
    Ret = NotYet,
    const After extends readonly string[] = [],
    const More extends readonly string[] = [],
    On extends Trigger = "success",
    When extends boolean = never,
    Tx = never,
    Keys extends string = never,
  >(
    id: NewId<
      Id,
      Steps["id"],
      MissingInTask<Id, Keys> | AnyOutput<Id, Ret, ArgsOf<Input, Steps, After, On, More, Stray<Keys, TaskOption>>>
    >,
    options:
      & TaskSpec<Steps, After, More, On, When, Ret, Tx, ArgsOf<Input, Steps, After, On, More, Stray<Keys, TaskOption>>>
      & Known<Keys, TaskOption>,
  ): Added<
    Workflow<
      Name,
      Input,
      | Steps
      | Step<
        Id,
        Awaited<Ret>,
        Skipped<Steps, After, On, When>,
        SureAncestors<Steps, After, On>,
        Ancestors<Steps, After>
      >,
      Returns,
      Sends
    >,
    Ret,
    "write `run` before `onSuccess`: it needs the type of the output"
  > {
    // The compiler cannot resolve a conditional type here.
    return new Workflow(this.#append(taskReader, id, options)) as never;
  }

  /**
   * Adds a task that waits for a message from outside, which is its output; `undefined` if its `timeout` elapsed before.
   *
   * @throws {DefinitionError} If the id or an option is invalid; `problems` lists every problem.
   */
  event<
    const Id extends string,
    Sent,
    Payload,
    const After extends readonly string[] = [],
    const More extends readonly string[] = [],
    On extends Trigger = "success",
    When extends boolean = never,
    Timeout extends Duration = never,
    Keys extends string = never,
  >(
    id: NewId<Id, Steps["id"], MissingInEvent<Id, Keys>>,
    options:
      & EventSpec<
        Steps,
        After,
        More,
        On,
        When,
        Sent,
        Payload,
        Timeout,
        ArgsOf<Input, Steps, After, On, More, Stray<Keys, EventOption>>
      >
      & Known<Keys, EventOption>,
  ): Workflow<
    Name,
    Input,
    | Steps
    | EventStep<
      Id,
      Payload | ([Timeout] extends [never] ? never : undefined),
      Sent,
      Skipped<Steps, After, On, When>,
      SureAncestors<Steps, After, On>,
      Ancestors<Steps, After>
    >,
    Returns,
    Sends
  > {
    return new Workflow(this.#append(eventReader, id, options));
  }

  /**
   * Adds a task that waits for a time, which outlives restarts and costs no slot. It has no output.
   *
   * @throws {DefinitionError} If the id or an option is invalid; `problems` lists every problem.
   */
  sleep<
    const Id extends string,
    const After extends readonly string[] = [],
    const More extends readonly string[] = [],
    On extends Trigger = "success",
    When extends boolean = never,
    Keys extends string = never,
  >(
    id: NewId<Id, Steps["id"], MissingInSleep<Id, Keys>>,
    options:
      & SleepSpec<Steps, After, More, On, When, ArgsOf<Input, Steps, After, On, More, Stray<Keys, SleepOption>>>
      & Known<Keys, SleepOption>,
  ): Workflow<
    Name,
    Input,
    Steps | SleepStep<Id, SureAncestors<Steps, After, On>, Ancestors<Steps, After>>,
    Returns,
    Sends
  > {
    return new Workflow(this.#append(sleepReader, id, options));
  }

  /**
   * Selects the task whose output is the result; without it the result is all outputs by id.
   *
   * @throws {DefinitionError} If there is no such task.
   */
  returns<Id extends Steps["id"]>(id: Id): Workflow<Name, Input, Steps, Id, Sends> {
    const checks = newChecks();
    checkResult(id, this.#candidates("a task of this workflow"), checks);
    checks.refuse(this.name);
    return new Workflow({ ...this.#parts, result: id });
  }

  /** Returns a Mermaid flowchart of the tasks; the same as `graph.toMermaid()`. */
  toMermaid(): string {
    return this.graph.toMermaid();
  }

  #append({ label, allowed, read }: KindReader, id: unknown, stated: unknown): WorkflowParts<Name> {
    const { name, tasks } = this.#parts;
    const checks = newChecks();
    const newId = checkTaskId(id, "a task id", checks);
    if (tasks.get(newId) !== undefined) checks.report(`there is already a task "${newId}"`);
    const options = checks.record(stated, `${label} ${shown(id)}`);
    checks.allow(options, `${label} ${shown(id)}`, allowed(options));
    const definition = read({ id: newId, what: `${label} "${newId}"`, options, checks });
    checkDependencies(definition, this.#candidates("an earlier task"), checks);
    checks.refuse(name);
    return { ...this.#parts, tasks: tasks.append(definition) };
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
