import type { ErrorRecord } from "../../errors.ts";

/** How the child run of a task, or of an item, has ended. */
export interface ChildOutcome {
  /** The number of the parent. */
  readonly parent: number;
  /** The id of the task. */
  readonly task: string;
  /** Index of the item, or `NO_ITEM`. */
  readonly item: number;
  /** The result as JSON text, or the error that its task fails with. */
  readonly end:
    | { readonly kind: "completed"; readonly result: string | undefined }
    | { readonly kind: "failed"; readonly error: Error };
}

/** What the child run of a task, or of an item, comes to when the task is undone. */
export type UndoneChild =
  /** It is compensated, or compensates itself, and has not ended. */
  | { readonly kind: "live" }
  /** It has ended; the error is that of the first of its undos that failed. */
  | { readonly kind: "ended"; readonly error: ErrorRecord | undefined };
