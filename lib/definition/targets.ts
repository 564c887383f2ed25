/**
 * Types of the argument that selects a workflow of a runner or client, by value or by name.
 *
 * @module
 */
import type { DynamicWorkflow } from "./dynamic.ts";
import type { IsAny } from "./json_types.ts";
import type { AnyWorkflow } from "./workflow.ts";

/** The workflow of `W` that a target selects; for an unknown name, those whose name is known only at run time. */
export type Resolve<W extends AnyWorkflow, T> = T extends string
  ? [Extract<W, { readonly name: T }>] extends [never] ? Unnamed<W> : Extract<W, { readonly name: T }>
  : T extends AnyWorkflow ? T
  : never;

/** The workflows of `W` whose name is not a literal. */
export type Unnamed<W extends AnyWorkflow> = W extends AnyWorkflow ? string extends W["name"] ? W : never : never;

/**
 * `T` if it is registered, otherwise a message. An `AnyWorkflow` is rejected unless the workflows of the runner are
 * `AnyWorkflow` too: whether it fits is not known, and it would be part of the message for a misspelt name.
 *
 * The first comparison is whether adding `T` to `W` changes nothing. The compiler can resolve it in a function that is
 * generic over a workflow, where both are the same type parameter.
 */
export type Registered<W extends AnyWorkflow, T> = (<G>() => G extends T | W ? 1 : 2) extends
  (<G>() => G extends W ? 1 : 2) ? T
  : RegisteredTarget<W, T>;

/** `T` if it is one of `W`, otherwise a message. */
export type RegisteredTarget<W extends AnyWorkflow, T> = T extends { readonly name: infer Name }
  ? IsAny<Name> extends true
    ? IsAny<W["name"]> extends true ? T : [W] extends [never] ? "no workflow is registered here" : never
  : [T] extends [W] ? T
  : string extends Name ? never
  : `workflow '${Name & string}' is not registered with this runner`
  : T;

/** Workflows of a run that is read by its id: those of `W`, or any workflow for a client without workflows. */
export type Readable<W extends AnyWorkflow> = [W] extends [never] ? DynamicWorkflow<string> : W;
