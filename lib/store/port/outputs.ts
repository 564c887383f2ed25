/** The types of reads of outputs. */
import type { ErrorRecord } from "../../errors.ts";
import type { JournalRecord } from "./batch.ts";

/** A request for outputs of a journal. */
export interface OutputsRequest {
  /** The run. */
  readonly seq: number;
  /** The task. */
  readonly task: string;
  /**
   * `results` selects the outputs of the task and of its items, and the errors of its failed items; `steps` the outputs
   * of their steps; `input` the array of items of the task.
   */
  readonly of: "results" | "steps" | "input";
  /** Only the task itself (-1) or this item of it. @default {undefined} the task and all of its items */
  readonly item?: number;
}

/** An output in a journal. */
export interface JournalOutput extends Pick<JournalRecord, "task" | "item" | "step"> {
  /** The run. */
  readonly seq: number;
  /** The output as JSON text; `undefined` for a failed item. */
  readonly output: string | undefined;
  /** The error of the last attempt of a failed item. */
  readonly error?: ErrorRecord;
}
