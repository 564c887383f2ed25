import type { Database } from "./definition.ts";
import type { JsonReturn } from "./json_types.ts";
import type { InTransaction } from "./specs.ts";
import type { OutputArg } from "./steps.ts";
import { task, type TaskBody } from "./task.ts";

/** A body that runs in a transaction, with its options, defined outside of a workflow. */
export interface TransactionBody<Tx, Args, Ret> extends Omit<TaskBody<Args, Ret>, "guarantee"> {
  /** Marks a task as a transaction. */
  readonly transaction: InTransaction<Tx>;
}

/** What a body reads that does not state it. */
// deno-lint-ignore no-explicit-any -- nothing is known of outputs that are not declared
export type Undeclared = Readonly<Record<string, any>>;

/**
 * Makes a task a transaction: its body runs in a database transaction, its argument `tx`, which also records its output.
 * So its effects on that database happen exactly once, even if the process dies.
 *
 * - `...transaction` beside `run`, in the options of a task: the compiler infers everything that `run` receives.
 * - `...transaction({ run, retry, … })` is a body with its options, defined outside of a workflow as with `task()`; its
 *   parameter states what it reads.
 */
export interface Transaction<Tx> {
  /**
   * Defines a body outside of a workflow. If its parameter does not state what it reads besides `tx`, that is not checked.
   *
   * @throws {TypeError} If an option is invalid; the message names every problem.
   */
  <Args = Undeclared, Ret = unknown>(
    body:
      & Omit<TaskBody<Args, Ret>, "run" | "undo" | "guarantee">
      & {
        readonly run: (args: Args & { readonly tx: Tx }) => JsonReturn<Ret>;
        /** Reverts what `run` did, in a transaction as well. */
        readonly undo?: (args: NoInfer<Args> & { readonly tx: Tx } & OutputArg<Awaited<Ret>>) => unknown;
      },
    // `NoInfer`: the options that the call is spread into must not determine `Args` before their `after` is known.
  ): TransactionBody<Tx, NoInfer<Args> & { readonly tx: Tx }, Ret>;
  /** Marks a task as a transaction. */
  readonly transaction: InTransaction<Tx>;
}

/** Creates the `transaction` of a database. */
export function transactionOf<Tx>(database: Database): Transaction<Tx> {
  const mark: { readonly transaction: InTransaction<Tx> } = { transaction: Object.freeze({ database }) };
  return Object.assign(define, mark);

  function define<Args, Ret>(
    body:
      & Omit<TaskBody<Args, Ret>, "run" | "undo" | "guarantee">
      & {
        readonly run: (args: Args & { readonly tx: Tx }) => JsonReturn<Ret>;
        readonly undo?: (args: NoInfer<Args> & { readonly tx: Tx } & OutputArg<Awaited<Ret>>) => unknown;
      },
  ): TransactionBody<Tx, Args & { readonly tx: Tx }, Ret> {
    // The compiler has checked the body above.
    const plain = task(body as { readonly run: never }) as TaskBody<Args & { readonly tx: Tx }, Ret>;
    return Object.freeze({ ...plain, ...mark });
  }
}
