/**
 * How the compiler represents a workflow: a union with a `Step` for each task. What a task may name, what its functions
 * receive and what they must return is computed from it. Other encodings were measured and are slower by far: a flattened
 * record of outputs, intersections, tuples.
 *
 * @module
 */
import type { TaskContext, TaskStatus } from "./context.ts";
import type { IsAny, IsUnion, JsonReturn, NotYet } from "./json_types.ts";

/** A task, as the compiler represents it. */
export interface Step<
  Id extends string,
  Output,
  Skip = never,
  Sure = string,
  Above = string,
  Key extends string = Id,
> {
  /** Id of the task. */
  readonly id: Id;
  /** The key of its output among the outputs: its id, or `never` for a task without output. */
  readonly key: Key;
  /** Output of the task. */
  readonly output: Output;
  /** `undefined` if the task may be skipped by its own condition, otherwise `never`. */
  readonly skip: Skip;
  /** Ids of the ancestors that have certainly completed when the task starts. */
  readonly sure: Sure;
  /** Ids of all ancestors. */
  readonly above: Above;
}

/** An event task, as the compiler represents it. Its output is the payload of a message. */
export interface EventStep<Id extends string, Output, Payload, Skip = never, Sure = string, Above = string>
  extends Step<Id, Output, Skip, Sure, Above> {
  /** The type of the payload: the input of the schema. */
  readonly payload: Payload;
}

/** A task without output. */
export type SleepStep<Id extends string, Sure = string, Above = string> = Step<
  Id,
  undefined,
  never,
  Sure,
  Above,
  never
>;

/** Any step. */
export type AnyStep = Step<string, unknown, unknown, unknown, unknown>;

/** What a body receives: the outputs of the tasks that it names, the input of the run, and its context. */
export type TaskArgs<Input = undefined, Deps = Record<never, never>> = Deps & {
  /** The validated input of the run. */
  readonly input: Input;
  /** The context of the attempt. */
  readonly ctx: TaskContext;
  /** How each of the named tasks ended. */
  readonly status: { readonly [K in keyof Deps]: TaskStatus };
};

/** Outputs of steps, by id. */
export type Outputs<Steps extends AnyStep> =
  // `infer` makes hovers show the object instead of this alias.
  { readonly [S in Steps as S["key"]]: S["output"] | S["skip"] } extends infer R ? R : never;

/** Payloads that can be sent to the events among `Steps`, by id. */
export type Payloads<Steps extends AnyStep> = {
  readonly [S in Extract<Steps, { readonly payload: unknown }> as S["id"]]: S["payload"];
} extends infer R ? R : never;

/**
 * The steps among `Steps` that `Ids` names. `Ids` is tested first: otherwise the compiler distributes over all steps, and
 * creates a type for each, in every signature that it resolves before it has inferred any id.
 */
export type Named<Steps extends AnyStep, Ids> = [Ids] extends [never] ? never : Filter<Steps, Ids>;

/** The same without the test of `Ids`. */
export type Filter<Steps extends AnyStep, Ids> = Steps extends AnyStep ? Steps["id"] extends Ids ? Steps : never
  : never;

/** `List` if each of its ids is allowed; otherwise the allowed ids, which the compiler then prints. */
export type IdList<List extends readonly string[], Allowed, None extends string> = [List[number]] extends [Allowed]
  ? List
  : [Allowed] extends [never] ? readonly None[]
  : readonly Allowed[];

/** Invalid ids: in `after` those of no earlier task, in `reads` those of no ancestor. */
export type BadIds<Steps extends AnyStep, After extends readonly string[], More extends readonly string[]> =
  | Exclude<After[number], Steps["id"]>
  | ([More[number]] extends [never] ? never : Exclude<More[number], Ancestors<Steps, After>>);

/** Ids of all ancestors of a task that depends on `After`; `infer` makes messages print the ids. */
export type Ancestors<Steps extends AnyStep, After extends readonly unknown[]> =
  | After[number]
  | Named<Steps, After[number]>["above"] extends infer Ids ? Ids : never;

/** Ids of the ancestors that have certainly completed, or were skipped by their own condition, when the task starts. */
export type SureAncestors<Steps extends AnyStep, After extends readonly unknown[], On> = [
  Unsure<After, On>,
] extends [never] ? (After[number] | Named<Steps, After[number]>["sure"]) extends infer Ids ? Ids : never : never;

/** The outputs that a task receives. An output may be `undefined` unless its task has certainly completed. */
export type Reads<
  Steps extends AnyStep,
  After extends readonly unknown[],
  On,
  More extends readonly unknown[] = [],
  Ids = After[number] | More[number],
> =
  // `infer` makes hovers and messages show the object instead of this alias, and blocks inference through it.
  {
    readonly [S in Steps as S["id"] extends Ids ? S["id"] : never]:
      | S["output"]
      | (S["id"] extends After[number] ? Unsure<After, On> | (On extends "allSucceeded" ? never : S["skip"])
        : S["skip"] | (S["id"] extends SureAncestors<Steps, After, On> ? never : undefined));
  } extends infer R ? R : never;

/**
 * What the functions of a task receive. `any` if the name of a task or of an option (`Stray`) is wrong: that name has a
 * message already, and a second message about its consequences would mislead.
 */
export type ArgsOf<
  Input,
  Steps extends AnyStep,
  After extends readonly string[],
  On,
  More extends readonly string[],
  Stray = never,
> = [BadIds<Steps, After, More> | Stray] extends [never] ? TaskArgs<Input, Reads<Steps, After, On, More>>
  // deno-lint-ignore no-explicit-any -- see above
  : any;

/** `Ret` if it can be stored, otherwise a message; `Ret` also if the arguments are `any`, see `ArgsOf`. */
export type Return<Ret, Args> = [Ret] extends [NotYet] ? [Ret] extends [never] ? Ret : unknown
  : IsAny<Args> extends true ? Ret
  : JsonReturn<Ret>;

/** A message in the place of the id of a task whose body returns `any`, which is assignable to any required type. */
export type AnyOutput<Id extends string, Ret, Args> = [Ret] extends [NotYet]
  ? IsAny<Ret> extends true
    ? IsAny<Args> extends true ? never : `the output of '${Id}' is \`any\` - annotate or validate it`
  : never
  : never;

/** The output of a body, as hooks receive it; `any` until it is inferred. */
// deno-lint-ignore no-explicit-any -- see `NotYet`
export type Returned<Ret> = [Ret] extends [NotYet] ? [Ret] extends [never] ? never : any : Awaited<Ret>;

/** What `undo` receives in addition to what the body received. */
export interface OutputArg<Output> {
  /** What the body returned. */
  readonly output: Output;
}

/** `W`, or a message if an option that needs the type of `Ret` is written before the function that returns it. */
export type Added<W, Ret, Message> = [Ret] extends [NotYet]
  ? IsAny<Ret> extends true ? W : [Ret] extends [never] ? W : Message
  : W;

/** `undefined` unless the tasks in `After` have certainly completed: a list that is computed may omit some. */
export type Unsure<After extends readonly unknown[], On> = On extends "success" | "allSucceeded"
  ? number extends After["length"] ? undefined : IsUnion<After> extends true ? undefined : never
  : undefined;

/** `undefined` if the task may be skipped without a failure: by its own condition or trigger, or as its dependency was. */
export type Skipped<Steps extends AnyStep, After extends readonly unknown[], On, When> =
  | (On extends "success" | "allSucceeded" | "settled" ? [When] extends [never] ? never : undefined : undefined)
  | (On extends "allSucceeded" ? Named<Steps, After[number]> extends infer S extends AnyStep ? S["skip"] : never
    : never);

/** The result of a workflow: the output of the step that `returns` chose, or all outputs. */
export type ResultIn<Steps extends AnyStep, Returns> = [Returns] extends [never] ? Outputs<Steps>
  : Named<Steps, Returns> extends infer S extends AnyStep ? S["output"] | S["skip"]
  : never;

/**
 * `Id` if it is a new literal that is not reserved, otherwise a message; `Missing` is a message about the options.
 * Messages say `Name`, because `Id` would be intersected with each taken id there, which makes n tasks cost n².
 */
export type NewId<Id extends string, Taken, Missing = never, Name extends string = Id> = string extends Id
  ? "a task id must be a string literal"
  : IsUnion<Id> extends true ? "a task id must be one string literal"
  : Id extends Taken ? `there is already a task '${Name}' in this workflow`
  : Id extends "input" | "ctx" | "status" | "item" | "index" | "output" | "error" | "tx"
    ? `'${Name}' is reserved: it names a task argument`
  : Id extends "__proto__" ? "'__proto__' is reserved by JavaScript"
  : Id extends "" ? "a task id must not be empty"
  : [Missing] extends [never] ? Id
  : Missing;
