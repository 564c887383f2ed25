import type { Database } from "./definition.ts";
import type { JsonReturn } from "./json_types.ts";
import type { InTransaction } from "./steps.ts";
import { task, type TaskBody } from "./task.ts";

/** A body that runs inside of a transaction, with its options, away from any workflow. */
export interface TransactionBody<Tx, Args, Ret> extends TaskBody<Args, Ret> {
  /** Makes the task that it is given to a transaction. */
  readonly transaction: InTransaction<Tx>;
}

/** What a body reads that says nothing of it. */
// deno-lint-ignore no-explicit-any -- nothing is known of outputs that nobody declares
export type Undeclared = Readonly<Record<string, any>>;

/**
 * Makes a task a transaction: its body runs inside of a database transaction, its argument `tx`, that also records the
 * result. So its effects on that database happen exactly once, whatever becomes of the process.
 *
 * - `...transaction` beside `run`, where the task is wired, types all that `run` receives.
 * - `...transaction({ run, retry, … })` is a body with its options away from any workflow, as `task()` is; what it reads
 *   is written in its parameter.
 */
export interface Transaction<Tx> {
  /**
   * Defines a body away from any workflow. Where its parameter says nothing of what it reads besides `tx`, that is not
   * checked either.
   *
   * @throws {TypeError} If an option is wrong; every problem is named.
   */
  <Args = Undeclared, Ret = unknown>(
    body:
      & Omit<TaskBody<Args, Ret>, "run">
      & { readonly run: (args: Args & { readonly tx: Tx }) => JsonReturn<Ret> },
    // What the call is spread into does not yet know its `after` when it would say what `Args` is.
  ): TransactionBody<Tx, NoInfer<Args> & { readonly tx: Tx }, Ret>;
  /** Makes the task that it is given to a transaction. */
  readonly transaction: InTransaction<Tx>;
}

/** The transactions of a database. */
export function transactionOf<Tx>(database: Database): Transaction<Tx> {
  const mark: { readonly transaction: InTransaction<Tx> } = { transaction: Object.freeze({ database }) };
  return Object.assign(define, mark);

  function define<Args, Ret>(
    body:
      & Omit<TaskBody<Args, Ret>, "run">
      & { readonly run: (args: Args & { readonly tx: Tx }) => JsonReturn<Ret> },
  ): TransactionBody<Tx, Args & { readonly tx: Tx }, Ret> {
    // What `Ret` may be was checked above.
    const plain = task<Args & { readonly tx: Tx }, Ret>(body as TaskBody<typeof body, Ret> & { readonly run: never });
    return Object.freeze({ ...plain, ...mark });
  }
}
