/** The types of transactions in which bodies run. */
import type { JournalRecord } from "./batch.ts";

/** A task body to run inside a transaction that also records its result. */
export interface TransactionRequest {
  /** The run. */
  readonly seq: number;
  /** The epoch under which its owner claimed it. */
  readonly epoch: number;
  /** The task. */
  readonly task: string;
  /** The number of the item; -1 for the task itself. */
  readonly item: number;
  /**
   * Runs in the transaction `tx`, which is the driver's own handle, and returns the row to record. The store calls it
   * again, with another transaction, if the database could not execute the first.
   */
  readonly body: (tx: unknown) => Promise<JournalRecord>;
  /** Rolls the transaction back when it aborts, unless the commit has been sent. */
  readonly signal: AbortSignal;
  /** Called immediately before the commit is sent: from then on the transaction cannot be rolled back. */
  readonly committing: () => void;
}

/** The result of `transact()`. */
export type TransactionVerdict =
  /** The transaction is committed, with this output. */
  | { readonly kind: "committed"; readonly output: string | undefined }
  /** The run has another owner or has ended: the transaction was rolled back. */
  | { readonly kind: "fenced" };
