import type { AnyWorkflow, OutputsOf, ResultOf } from "../definition/workflow.ts";
import { decodeJson } from "../definition/json.ts";
import {
  type ErrorRecord,
  type Failure,
  RecoveryLimitError,
  RunCancelledError,
  RunFailedError,
  RunTimeoutError,
} from "../errors.ts";
import { fromErrorRecord } from "./error_record.ts";
import type { RunEnd } from "./run_end.ts";

/** How a run ended. */
export type RunOutcome<W extends AnyWorkflow> =
  | {
    /** It has its result. */
    readonly status: "completed";
    /** The run. */
    readonly runId: string;
    /** The output of the task that `returns` names, or all outputs by id. */
    readonly result: ResultOf<W>;
    /** Outputs of the tasks that completed. */
    readonly outputs: Partial<OutputsOf<W>>;
  }
  | {
    /** A task failed and nobody handled it, or the result is missing, or the run itself was given up. */
    readonly status: "failed";
    /** The run. */
    readonly runId: string;
    /** What decided it: the last error of the first such task, a `RunTimeoutError` or a `RecoveryLimitError`. */
    readonly error: Error;
    /** The failed attempts of every failed task; of more than ten of one task the first and the nine latest. */
    readonly failures: readonly Failure[];
    /** Outputs of the tasks that completed. */
    readonly outputs: Partial<OutputsOf<W>>;
  }
  | {
    /** It was cancelled. */
    readonly status: "cancelled";
    /** The run. */
    readonly runId: string;
    /** What the canceller said. */
    readonly reason: string | undefined;
    /** Outputs of the tasks that completed. */
    readonly outputs: Partial<OutputsOf<W>>;
  };

/** An end in the words of the caller, its payloads read. */
export function outcomeOf<W extends AnyWorkflow>(end: RunEnd): RunOutcome<W> {
  const { runId } = end;
  const all = outputsOf(end);
  // What the compiler was told of the outputs was checked when they were made.
  const outputs = all as Partial<OutputsOf<W>>;
  switch (end.state) {
    case "completed": {
      const result = (end.result === undefined ? all : all[end.result]) as ResultOf<W>;
      return { status: "completed", runId, result, outputs };
    }
    case "failed":
      return { status: "failed", runId, error: errorOf(end), failures: end.failures, outputs };
    case "cancelled":
      return { status: "cancelled", runId, reason: end.reason, outputs };
  }
}

/**
 * The result of a run that completed.
 *
 * @throws {RunFailedError} If it failed.
 * @throws {RunCancelledError} If it was cancelled.
 */
export function resultOf<W extends AnyWorkflow>(end: RunEnd): ResultOf<W> {
  const outcome = outcomeOf<W>(end);
  switch (outcome.status) {
    case "completed":
      return outcome.result;
    case "failed":
      throw new RunFailedError(end.runId, end.workflow, outcome.error, end.failures);
    case "cancelled":
      throw new RunCancelledError(end.runId, end.reason);
  }
}

/** The error of a failed run, with its class where it is one of ours. */
function errorOf(end: RunEnd): Error {
  const record: ErrorRecord = end.error ?? { name: "Error", message: "the run failed" };
  if (record.code === "run_timeout") return new RunTimeoutError(end.runId, end.timeoutMs ?? 0);
  if (record.code === "recovery_limit") return new RecoveryLimitError(end.runId, end.crashes);
  return fromErrorRecord(record);
}

function outputsOf(end: RunEnd): Record<string, unknown> {
  const outputs = end.newRecord();
  for (const task in end.outputs) outputs[task] = decodeJson(end.outputs[task], "the output", task);
  return outputs;
}
