/**
 * How a runner's methods name one of its workflows: by value or by name, both checked by the compiler.
 *
 * @module
 */
import type { AnyWorkflow } from "./workflow.ts";

/** The workflow of `W` that a target is or names; one whose name is known only at run time stands in for the rest. */
export type Resolve<W extends AnyWorkflow, T> = T extends string
  ? [Extract<W, { readonly name: T }>] extends [never] ? Unnamed<W> : Extract<W, { readonly name: T }>
  : T extends AnyWorkflow ? T
  : never;

/** Those of `W` whose name is no literal. */
export type Unnamed<W extends AnyWorkflow> = W extends AnyWorkflow ? string extends W["name"] ? W : never : never;

/** `T` if the runner knows it, otherwise a message. */
export type Registered<W extends AnyWorkflow, T> = T extends { readonly name: infer Name extends string }
  ? [T] extends [W] ? T
  : string extends Name ? never
  : `workflow '${Name}' is not registered with this runner`
  : T;

/** Arguments for an input: none are needed if it may be `undefined`. */
export type ExecuteArgs<Input> = undefined extends Input ? [input?: Input] : [input: Input];
