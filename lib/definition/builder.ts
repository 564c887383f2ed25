import type { Duration } from "../duration.ts";
import type { ChildResult, Startable } from "./child.ts";
import type { OnItemFailure, Trigger } from "./definition.ts";
import type { NotYet } from "./json_types.ts";
import { eventReader } from "./kinds/event.ts";
import { mapReader } from "./kinds/map.ts";
import { sleepReader } from "./kinds/sleep.ts";
import { subworkflowReader } from "./kinds/subworkflow.ts";
import { taskReader } from "./kinds/task.ts";
import type {
  EventOption,
  MapOption,
  MissingInEvent,
  MissingInMap,
  MissingInSleep,
  MissingInSubworkflow,
  MissingInTask,
  SleepOption,
  SubworkflowOption,
  TaskOption,
} from "./option_names.ts";
import type { Known, Stray } from "./options_check.ts";
import type { EventSpec, ItemOutput, MapOutput, MapSpec, SleepSpec, SubworkflowSpec, TaskSpec } from "./specs.ts";
import type {
  Added,
  Ancestors,
  AnyOutput,
  AnyStep,
  ArgsOf,
  EventStep,
  NewId,
  ResultIn,
  Skipped,
  SleepStep,
  Step,
  SureAncestors,
} from "./steps.ts";
import { WorkflowValue } from "./workflow_value.ts";

/**
 * A named graph of typed tasks. Immutable: every method returns a new workflow.
 *
 * `Steps` is a union with a `Step` for each task, `Returns` the id that `.returns()` chose, `Input` the input that tasks
 * receive and `Sends` the input that a start passes, which differ if the schema adds defaults or transforms.
 */
export class Workflow<Name extends string, Input, Steps extends AnyStep = never, Returns = never, Sends = Input>
  extends WorkflowValue<Name> {
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

  /** For the compiler only; this member does not exist at run time. */
  declare readonly "~child": {
    readonly takes: (input: Sends) => void;
    readonly result: ResultIn<Steps, Returns>;
  };

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
    "write `run` before `onSuccess` and `undo`: they need the type of the output"
  > {
    // The compiler cannot resolve a conditional type here.
    return new Workflow(this.append(taskReader, id, options)) as never;
  }

  /**
   * Adds a task that runs a body, or a child run, for each element of an array; its output is the array of results, in
   * that order. Each item is attempted, retried and stored by itself; any runner may claim a child run.
   *
   * @throws {DefinitionError} If the id or an option is invalid; `problems` lists every problem.
   */
  map<
    const Id extends string,
    Items = NotYet,
    Ret = NotYet,
    W extends Startable = never,
    const After extends readonly string[] = [],
    const More extends readonly string[] = [],
    On extends Trigger = "success",
    When extends boolean = never,
    OnFailure extends OnItemFailure = "stop",
    Tx = never,
    Keys extends string = never,
  >(
    id: NewId<
      Id,
      Steps["id"],
      | MissingInMap<Id, Keys, W>
      | AnyOutput<Id, Ret, ArgsOf<Input, Steps, After, On, More, Stray<Keys, MapOption<Keys>>>>
    >,
    options:
      & MapSpec<
        Steps,
        After,
        More,
        On,
        When,
        Items,
        OnFailure,
        Ret,
        Tx,
        W,
        ArgsOf<Input, Steps, After, On, More, Stray<Keys, MapOption<Keys>>>
      >
      & Known<Keys, MapOption<Keys>>,
  ): Added<
    Workflow<
      Name,
      Input,
      | Steps
      | Step<
        Id,
        MapOutput<ItemOutput<Ret, W>, OnFailure>,
        Skipped<Steps, After, On, When>,
        SureAncestors<Steps, After, On>,
        Ancestors<Steps, After>
      >,
      Returns,
      Sends
    >,
    Items,
    "write `over` before the functions that receive `item`"
  > {
    return new Workflow(this.append(mapReader, id, options)) as never;
  }

  /**
   * Adds a task that starts a run of another workflow and waits for its end; its output is the result of that run.
   *
   * @throws {DefinitionError} If the id or an option is invalid; `problems` lists every problem.
   */
  subworkflow<
    const Id extends string,
    W extends Startable,
    const After extends readonly string[] = [],
    const More extends readonly string[] = [],
    On extends Trigger = "success",
    When extends boolean = never,
    Keys extends string = never,
  >(
    id: NewId<Id, Steps["id"], MissingInSubworkflow<Id, Keys, W>>,
    options:
      & SubworkflowSpec<
        Steps,
        After,
        More,
        On,
        When,
        W,
        ArgsOf<Input, Steps, After, On, More, Stray<Keys, SubworkflowOption>>
      >
      & Known<Keys, SubworkflowOption>,
  ): Workflow<
    Name,
    Input,
    | Steps
    | Step<
      Id,
      ChildResult<W>,
      Skipped<Steps, After, On, When>,
      SureAncestors<Steps, After, On>,
      Ancestors<Steps, After>
    >,
    Returns,
    Sends
  > {
    return new Workflow(this.append(subworkflowReader, id, options));
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
    return new Workflow(this.append(eventReader, id, options));
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
    return new Workflow(this.append(sleepReader, id, options));
  }

  /**
   * Selects the task whose output is the result; without it the result is all outputs by id.
   *
   * @throws {DefinitionError} If there is no such task.
   */
  returns<Id extends Steps["id"]>(id: Id): Workflow<Name, Input, Steps, Id, Sends> {
    return new Workflow(this.select(id));
  }
}
