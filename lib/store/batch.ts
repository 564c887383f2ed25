/**
 * What a commit writes and returns (runs to insert, results to record), and what a claim asks for and returns.
 *
 * @module
 */
import type { ErrorRecord, Failure } from "../errors.ts";

/** States of a run. */
export type RunState = "pending" | "running" | "waiting" | "paused" | "completed" | "failed" | "cancelled";

/** States of a task. */
export type TaskState = "pending" | "running" | "waiting" | "completed" | "failed" | "skipped" | "cancelled";

/** A run to insert. */
export interface NewRun {
  /** A UUIDv7. */
  readonly id: string;
  /** Its workflow's name. */
  readonly workflow: string;
  /** The content version it starts with. */
  readonly version: string;
  /** With a key, a second run of the same workflow and key is not inserted. */
  readonly key: string | undefined;
  /** Lower is sooner. */
  readonly priority: number;
  /** When it may be claimed. */
  readonly dueAt: number;
  /** Its tags. */
  readonly tags: readonly string[];
  /** Its validated input as JSON text; `undefined` for none. */
  readonly input: string | undefined;
  /** Longest it may take once started. */
  readonly timeoutMs: number | undefined;
  /** The runner that keeps it: it is inserted as `running`, with epoch 1. `undefined` inserts it as `pending`, epoch 0. */
  readonly owner: number | undefined;
  /** Where its starter was in a trace, as text; `undefined` if nothing traces it. */
  readonly trace?: string | undefined;
  /** Results it begins with, and the run they are from. It is inserted as `pending`, with epoch 1, so that its journal is read. */
  readonly fork: { readonly from: string; readonly journal: readonly JournalRecord[] } | undefined;
}

/** What became of a `NewRun`. */
export type StartVerdict =
  /** Inserted; `owned` is false if it had to be left pending, as after the runner's row was taken away. */
  | { readonly kind: "started"; readonly seq: number; readonly owned: boolean; readonly at: number }
  /** There is a run of that workflow and key already. */
  | { readonly kind: "existing"; readonly id: string }
  /** The database refuses this row, whatever else is in the batch. */
  | { readonly kind: "refused"; readonly error: Error };

/** A row of the journal: the result of a unit (a task, or one item of it) or how far it is, or the result of a step of a unit. */
export interface JournalRecord {
  /** The task's id. */
  readonly task: string;
  /** The number of the item, from 0; -1 for the task itself. */
  readonly item: number;
  /** The name of the step; `""` for the unit's own row. */
  readonly step: string;
  /** Where it is. */
  readonly state: TaskState;
  /** Attempts begun so far, of which this is the last. */
  readonly attempts: number;
  /** The output of a completed one as JSON text; `undefined` for none. */
  readonly output: string | undefined;
  /** The failed attempts so far; empty for none. */
  readonly failures: readonly Failure[];
  /** Why it was skipped, or what it waits for. */
  readonly reason: string | undefined;
  /** When the latest attempt began. */
  readonly startedAt: number | undefined;
  /** When it became terminal. */
  readonly endedAt: number | undefined;
  /** When a waiting one goes on. */
  readonly dueAt: number | undefined;
  /** What `ctx.progress` said last, as JSON text. */
  readonly progress: string | undefined;
}

/** A row of the journal without its output. */
export type RecordHead = Omit<JournalRecord, "output">;

/** A row of the journal to write. */
export interface RecordWrite extends JournalRecord {
  /**
   * Whether the journal has no such row: the writer has read the journal and has sent no row of this unit and step since.
   * A wrong `true` costs a failed statement, and an insert that expects a conflict logs each row twice. @default {false}
   */
  readonly isNew?: boolean;
}

/**
 * What becomes of a run's own row. A run of which a cancel is recorded ends as cancelled when its owner releases or
 * completes it. A paused run stays paused unless it ends.
 */
export type RunMove =
  /** It ended. The owner is cleared. */
  | { readonly to: "completed"; readonly at: number }
  | { readonly to: "failed"; readonly at: number; readonly error: ErrorRecord }
  | { readonly to: "cancelled"; readonly at: number; readonly reason: string | undefined }
  /** Nothing to do until `dueAt` (`undefined`: until something from outside). Released runs have no owner and are claimed when due. */
  | { readonly to: "waiting"; readonly dueAt: number | undefined; readonly release: boolean }
  /** It goes on after waiting, in memory. */
  | { readonly to: "running" }
  /** Handed back: pending, due at once, no owner, nothing counted. A paused run stays paused. */
  | { readonly to: "pending" }
  /** Not compatible with workflow version `by`: no owner, and claimed only by a runner of the run's own version. */
  | { readonly to: "stranded"; readonly by: string; readonly reason: string };

/** Everything one run has to write in one commit: all of it or nothing. */
export interface RunWrite {
  /** The run. */
  readonly seq: number;
  /** The epoch under which its writer claimed it. */
  readonly epoch: number;
  /** Its rows. A row that is terminal already stands: the first recorded result wins. */
  readonly records: readonly RecordWrite[];
  /** What becomes of it. */
  readonly move: RunMove | undefined;
  /**
   * How many changes from outside its owner has applied (`InboxEntry.attention`): they are acknowledged. A run that is
   * released although it was changed more often is due at once. @default {0}
   */
  readonly seen?: number;
}

/** What became of a `RunWrite`. */
export type WriteVerdict =
  | "accepted"
  /** The same, but the run has ended as cancelled and not as completed: a cancel was recorded that its owner had not seen. */
  | { readonly cancelled: { readonly reason: string | undefined } }
  /** Somebody else owns the run by now, or it ended: nothing of the write was stored. */
  | "fenced"
  /** The database refuses it, whatever else is in the batch; nothing of it was stored. */
  | { readonly refused: Error };

/** A workflow and version a runner can execute. */
export interface Served {
  /** The workflow's name. */
  readonly workflow: string;
  /** Its content version in this runner. */
  readonly version: string;
}

/** Asks for due runs. */
export interface ClaimRequest {
  /** Who asks. */
  readonly runner: number;
  /** At most so many. */
  readonly limit: number;
  /** What the runner can execute; no run of another workflow is touched. */
  readonly served: readonly Served[];
  /** Whether only runs of the very same version may be claimed. */
  readonly pinned: boolean;
}

/** A run that now belongs to the claimer. */
export interface ClaimedRun {
  /** The run's id. */
  readonly id: string;
  /** Its row. */
  readonly seq: number;
  /** The fence for all its writes. */
  readonly epoch: number;
  /** Its workflow. */
  readonly workflow: string;
  /** The version it started with. */
  readonly version: string;
  /** Its input as JSON text. */
  readonly input: string | undefined;
  /** Its tags. */
  readonly tags: readonly string[];
  /** When it was first owned. */
  readonly startedAt: number | undefined;
  /** When it must have ended. */
  readonly deadlineAt: number | undefined;
  /** The limit behind `deadlineAt`. */
  readonly timeoutMs: number | undefined;
  /** How often it has been changed from outside; its claimer has seen all of that. */
  readonly attention: number;
  /** How many runners have died with it. */
  readonly crashes: number;
  /** Where its starter was in a trace. */
  readonly trace: string | undefined;
  /** Its journal without outputs, which `outputs()` reads; empty for a run that had no owner before. */
  readonly journal: readonly RecordHead[];
}

/** The answer to a claim. */
export interface Claim {
  /** The runs, by priority, then due time. */
  readonly runs: readonly ClaimedRun[];
  /** Whether more may be due: the limit was reached, or as many bytes as a claim may return, or other transactions hold due runs. */
  readonly more: boolean;
  /** When the next of the served runs becomes due, if none is now. */
  readonly nextDueAt: number | undefined;
}

/** What goes out as one commit. */
export interface Batch {
  /** Runs to insert. */
  readonly starts: readonly NewRun[];
  /** Results and ends. */
  readonly writes: readonly RunWrite[];
}

/** What became of a batch; verdicts stand in the order of what they answer. */
export interface Receipt {
  /** One for each start. */
  readonly starts: readonly StartVerdict[];
  /** One for each write. */
  readonly writes: readonly WriteVerdict[];
}

/** Which outputs in a journal to read. */
export interface OutputsRequest {
  /** The run. */
  readonly seq: number;
  /** The task. */
  readonly task: string;
  /** `results` are the outputs of the task and of its items, `steps` those of their steps. */
  readonly of: "results" | "steps";
}

/** An output in a journal. */
export interface JournalOutput extends Pick<JournalRecord, "task" | "item" | "step"> {
  /** The run. */
  readonly seq: number;
  /** The output as JSON text. */
  readonly output: string;
}
