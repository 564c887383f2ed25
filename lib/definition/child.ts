/**
 * Types of the workflow of a child run.
 *
 * @module
 */

/**
 * A workflow by the input that it takes and its result. Every `Workflow` is a `Child`.
 *
 * A task that starts its own workflow, or one that is defined later and starts this one, names it by a function. The
 * compiler cannot infer the type of a value from itself, so such a function states its return type:
 * `workflow: (): Child<Node, number> => tree`.
 */
export interface Child<Input, Result> {
  /** The name of the workflow. */
  readonly name: string;
  /** For the compiler only; this member does not exist at run time. */
  readonly "~child": {
    readonly takes: (input: Input) => void;
    readonly result: Result;
  };
}

/** Any workflow, as a task can start it. */
// deno-lint-ignore no-explicit-any -- `unknown` and `never` each exclude some workflow
export type Startable = Child<any, any>;

/** The input of a run of a workflow. */
export type ChildInput<W> = W extends { readonly "~child": { readonly takes: (input: infer Input) => void } } ? Input
  : never;

/** The result of a child run. */
export type ChildResult<W> = W extends { readonly "~child": { readonly result: infer Result } } ? Result : never;
