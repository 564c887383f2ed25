/**
 * How a runner's methods name one of its workflows: by value or by name, both checked by the compiler.
 *
 * @module
 */
import type { DynamicWorkflow } from "./dynamic.ts";
import type { IsAny } from "./json_types.ts";
import type { AnyWorkflow } from "./workflow.ts";

/** The workflow of `W` that a target is or names; one whose name is known only at run time stands in for the rest. */
export type Resolve<W extends AnyWorkflow, T> = T extends string
  ? [Extract<W, { readonly name: T }>] extends [never] ? Unnamed<W> : Extract<W, { readonly name: T }>
  : T extends AnyWorkflow ? T
  : never;

/** Those of `W` whose name is no literal. */
export type Unnamed<W extends AnyWorkflow> = W extends AnyWorkflow ? string extends W["name"] ? W : never : never;

/**
 * `T` if the runner knows it, otherwise a message. A workflow of which nothing is known is left out unless that is true
 * of the runner's as well: whether it would fit is an accident, and it would stand in the message for a misspelt name.
 */
export type Registered<W extends AnyWorkflow, T> = T extends { readonly name: infer Name }
  ? IsAny<Name> extends true
    ? IsAny<W["name"]> extends true ? T : [W] extends [never] ? "no workflow is registered here" : never
  : [T] extends [W] ? T
  : string extends Name ? never
  : `workflow '${Name & string}' is not registered with this runner`
  : T;

/** What a run that is looked up may be a run of: one of `W`, or whatever there is, for a client that was given none. */
export type Readable<W extends AnyWorkflow> = [W] extends [never] ? DynamicWorkflow<string> : W;

/** Arguments for an input: none are needed if it may be `undefined`. */
export type ExecuteArgs<Input> = undefined extends Input ? [input?: Input] : [input: Input];
