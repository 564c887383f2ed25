import type { AnyWorkflow, OutputsOf, ResultOf } from "../../definition/workflow.ts";
import {
  type ErrorRecord,
  type Failure,
  RecoveryLimitError,
  RunCancelledError,
  RunFailedError,
  RunTimeoutError,
} from "../../errors.ts";
import { fromErrorRecord } from "../errors/error_record.ts";
import { decodeOutput } from "../runs/expansion.ts";
import type { Compensated, RunEnd } from "../runs/run_end.ts";

/** How a run ended, by the types of its result and of its outputs by task id. */
export type RunOutcome<Result = unknown, Outputs = Readonly<Record<string, unknown>>> =
  | {
    /** The run completed and has a result. */
    readonly status: "completed";
    /** Id of the run. */
    readonly runId: string;
    /** When a runner first claimed the run, in milliseconds since the epoch; `undefined` if none did. */
    readonly startedAt: number | undefined;
    /** When the run ended, in milliseconds since the epoch. */
    readonly endedAt: number;
    /** Output of the task that `returns` names; without `returns` all outputs by task id. */
    readonly result: Result;
    /** Outputs of completed tasks, by task id. */
    readonly outputs: Partial<Outputs>;
  }
  | {
    /**
     * A failure was not handled, the result is missing because of a failure, the run timed out, or too many runners died
     * while they owned it.
     */
    readonly status: "failed";
    /** Id of the run. */
    readonly runId: string;
    /** When a runner first claimed the run, in milliseconds since the epoch; `undefined` if none did. */
    readonly startedAt: number | undefined;
    /** When the run ended, in milliseconds since the epoch. */
    readonly endedAt: number;
    /** The decisive error: the last error of the first such task, a `RunTimeoutError` or a `RecoveryLimitError`. */
    readonly error: Error;
    /** Failed attempts of all failed tasks; of more than ten of one task the first and the nine latest. */
    readonly failures: readonly Failure[];
    /** Tasks that were undone and undos that failed, in the order of their definition. */
    readonly compensated: readonly Compensated[];
    /** Outputs of completed tasks, by task id. */
    readonly outputs: Partial<Outputs>;
  }
  | {
    /** The run was cancelled. */
    readonly status: "cancelled";
    /** Id of the run. */
    readonly runId: string;
    /** When a runner first claimed the run, in milliseconds since the epoch; `undefined` if none did. */
    readonly startedAt: number | undefined;
    /** When the run ended, in milliseconds since the epoch. */
    readonly endedAt: number;
    /** The argument of `cancel`. */
    readonly reason: string | undefined;
    /** Tasks that were undone and undos that failed, in the order of their definition. */
    readonly compensated: readonly Compensated[];
    /** Outputs of completed tasks, by task id. */
    readonly outputs: Partial<Outputs>;
  };

/** The outcome of a run of a workflow. */
export type OutcomeOf<W extends AnyWorkflow> = RunOutcome<ResultOf<W>, OutputsOf<W>>;

/** Converts the end of a run to an outcome, with decoded payloads. */
export function outcomeOf<Result, Outputs>(end: RunEnd): RunOutcome<Result, Outputs> {
  const { runId, startedAt, endedAt, compensated } = end;
  const all = outputsOf(end);
  // The types of the outputs were checked by the compiler where the bodies were defined.
  const outputs = all as Partial<Outputs>;
  switch (end.state) {
    case "completed": {
      const result = (end.result === undefined ? all : all[end.result]) as Result;
      return { status: "completed", runId, startedAt, endedAt, result, outputs };
    }
    case "failed":
      return {
        status: "failed",
        runId,
        startedAt,
        endedAt,
        error: errorOf(end),
        failures: end.failures,
        compensated,
        outputs,
      };
    case "cancelled":
      return { status: "cancelled", runId, startedAt, endedAt, reason: end.reason, compensated, outputs };
  }
}

/**
 * Returns the result of a completed run.
 *
 * @throws {RunFailedError} If the run failed.
 * @throws {RunCancelledError} If the run was cancelled.
 */
export function resultOf<Result>(end: RunEnd): Result {
  switch (end.state) {
    case "completed": {
      // The types of the outputs were checked by the compiler where the bodies were defined.
      return (end.result === undefined ? outputsOf(end) : outputOf(end, end.result)) as Result;
    }
    case "failed":
      throw new RunFailedError(end.runId, end.workflow, errorOf(end), end.failures);
    case "cancelled":
      throw new RunCancelledError(end.runId, end.reason);
  }
}

/** Returns the error of a failed run: of its class if Sluice decided the failure, or else as it was recorded. */
export function errorOf(end: RunEnd): Error {
  const record: ErrorRecord = end.error ?? { name: "Error", message: "the run failed" };
  if (record.code === "run_timeout") return new RunTimeoutError(end.runId, end.timeoutMs ?? 0);
  if (record.code === "recovery_limit") return new RecoveryLimitError(end.runId, end.crashes);
  return fromErrorRecord(record);
}

function outputsOf(end: RunEnd): Record<string, unknown> {
  const outputs = end.newRecord();
  for (const task in end.outputs) outputs[task] = outputOf(end, task);
  return outputs;
}

function outputOf({ outputs }: RunEnd, task: string): unknown {
  return decodeOutput(outputs[task], task);
}
