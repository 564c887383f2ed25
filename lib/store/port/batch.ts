/**
 * The types of commits (runs to insert, results to record, verdicts) and of claims (requests and claimed runs).
 *
 * @module
 */
import type { ErrorRecord, Failure } from "../../errors.ts";
import type { Debounce } from "./debounced.ts";
import type { OwnedChild, ParentTask } from "./inserted_child.ts";
import type { RunLimits } from "./limits.ts";
import type { ItemRange } from "./item_range.ts";

/** States of a run. While it is compensated it is `compensating`, whether it has an owner, waits or is due. */
export type RunState =
  | "pending"
  | "running"
  | "waiting"
  | "paused"
  | "compensating"
  | "completed"
  | "failed"
  | "cancelled";

/** States of a task. No row has the state `compensated`: it follows from the row of the task and from that of its undo. */
export type TaskState =
  | "pending"
  | "running"
  | "waiting"
  | "blocked"
  | "completed"
  | "failed"
  | "skipped"
  | "cancelled"
  | "compensated";

/** A run to insert. */
export interface NewRun {
  /** A UUIDv7. */
  readonly id: string;
  /** The name of the run's workflow. */
  readonly workflow: string;
  /** The content version that the run starts with. */
  readonly version: string;
  /** The idempotency key: the store does not insert a second run of the same workflow and key. */
  readonly key: string | undefined;
  /** `"active"` if the run holds its key only until it ends. Keys of the two scopes are distinct. @default {undefined} for ever */
  readonly keyScope?: "active" | undefined;
  /** The run is debounced: a pending run of the workflow with this debounce key is replaced. @default {undefined} it is not */
  readonly debounce?: Debounce | undefined;
  /** The priority; of runs that became due at once, those with lower values are claimed first. */
  readonly priority: number;
  /** When the run may be claimed; `undefined` for at once, by the clock of the store. */
  readonly dueAt: number | undefined;
  /** The run's tags. */
  readonly tags: readonly string[];
  /** The validated input as JSON text; `undefined` for none. */
  readonly input: string | undefined;
  /** The maximum duration of the run after its start. */
  readonly timeoutMs: number | undefined;
  /**
   * The runner that owns the run: the run is inserted as `running`, with epoch 1. If `undefined`, as `pending`, with epoch 0.
   * Not read-only: the runner decides by its room, at the latest moment before the commit.
   */
  owner: number | undefined;
  /** The trace context of the start, as text; `undefined` without tracing. */
  readonly trace?: string | undefined;
  /** What the run is forked from. The fork is inserted as `pending`, with epoch 1, so that its journal is read. */
  readonly fork: Fork | undefined;
  /** The task that starts the run as a child: the store does not insert a second child of the same task and item. */
  readonly parent?: ParentTask | undefined;
  /** The number of ancestors of the run. @default {0} */
  readonly depth?: number;
  /** The schedule that starts the run, and its tick: the store does not insert a second run of the same tick. */
  readonly schedule?: { readonly name: string; readonly tick: number | undefined } | undefined;
  /** The slots of the limits of its workflow that the run needs before it is claimed. @default {undefined} none */
  readonly limits?: RunLimits | undefined;
  /** Whether a child run is pending if a runner other than its owner has joined. Not read-only, as `owner`. @default {false} */
  isShared?: boolean;
}

/** The origin of a fork, and the results that it begins with. */
export interface Fork {
  /** The id of the original run. */
  readonly from: string;
  /** Results that the caller provides. */
  readonly journal: readonly JournalRecord[];
  /** Tasks of the original run of which all rows are copied: those of the tasks, their items and steps. */
  readonly copy?: { readonly seq: number; readonly tasks: readonly string[] };
}

/** The result of inserting a `NewRun`. */
export type StartVerdict =
  /** The run is inserted. `owned` is false if it is pending, for example because the runner's row is gone. */
  | { readonly kind: "started"; readonly seq: number; readonly owned: boolean; readonly at: number }
  /** The run replaces the input of this pending run with its debounce key, which is now due at `dueAt`. */
  | { readonly kind: "replaced"; readonly id: string; readonly dueAt: number }
  /** A run with this workflow and key, or with this parent task and item, exists already. */
  | { readonly kind: "existing"; readonly id: string }
  /** The database refuses this row, independent of the rest of the batch. */
  | { readonly kind: "refused"; readonly error: Error };

/** A row of the journal: the result or the progress of a unit (a task, or an item of a task), or the result of a step of a unit. */
export interface JournalRecord {
  /** The id of the task. */
  readonly task: string;
  /** The number of the item, from 0; -1 for the task itself. */
  readonly item: number;
  /** The name of the step; `""` for the row of the unit itself. */
  readonly step: string;
  /** The state of the unit or step. */
  readonly state: TaskState;
  /** The number of attempts started so far, including the latest. */
  readonly attempts: number;
  /** The output, if completed, as JSON text; `undefined` for none. */
  readonly output: string | undefined;
  /** The failed attempts so far. */
  readonly failures: readonly Failure[];
  /** The reason for the skip, or what the unit waits for. */
  readonly reason: string | undefined;
  /** When the latest attempt started. */
  readonly startedAt: number | undefined;
  /** When the state became terminal. */
  readonly endedAt: number | undefined;
  /** When a waiting unit continues. */
  readonly dueAt: number | undefined;
  /** The last value reported through `ctx.progress`, as JSON text. */
  readonly progress: string | undefined;
  /** For a task that has expanded, its number of items. A write of `undefined` does not change a stored number. */
  readonly items: number | undefined;
}

/** A row of the journal without its output. */
export interface RecordHead extends Omit<JournalRecord, "output"> {
  /** Whether the row began with the run, as a fork: another run has done the work, or it was given. @default {false} */
  readonly isCopied?: boolean;
}

/** A row of the journal to write. */
export interface RecordWrite extends JournalRecord {
  /**
   * Whether the journal has no such row: the writer has read the journal and has since sent no row of this unit and step.
   * A wrong `true` costs a failed statement; a wrong `false` costs an insert that expects a conflict, which logs each row
   * twice. @default {false}
   */
  readonly isNew?: boolean;
  /** The array of items as JSON text; stored with the write that expands a task. */
  readonly input?: string | undefined;
}

/**
 * The next state of a run's row. When the owner of a run with a recorded cancel releases, completes or fails it, its
 * compensation begins if its workflow has an undo, or else it ends as cancelled. A paused run stays paused unless it
 * ends or its compensation begins.
 */
export type RunMove =
  /** The run has ended; the store clears its owner. */
  | { readonly to: "completed"; readonly at: number }
  | { readonly to: "failed"; readonly at: number; readonly error: ErrorRecord }
  | { readonly to: "cancelled"; readonly at: number; readonly reason: string | undefined }
  /** The run waits until `dueAt` (`undefined`: until an external change). A released run has no owner and is claimed when due. */
  | { readonly to: "waiting"; readonly dueAt: number | undefined; readonly release: boolean }
  /** The run continues after a wait during which its owner kept it in memory. */
  | { readonly to: "running" }
  /**
   * The compensation of the run begins: the run is released and due immediately, and ends as stated once it is
   * compensated. One with a recorded cancel ends as cancelled, without compensation at once.
   */
  | { readonly to: "compensating"; readonly end: RunEnding }
  /** The run is released: pending, due immediately, without owner and without a counted crash. A paused run stays paused. */
  | { readonly to: "pending" }
  /** The run is parked: workflow version `by` cannot continue it. It has no owner; only a runner of the run's own version claims it. */
  | { readonly to: "stranded"; readonly by: string; readonly reason: string };

/** The end of a run once it is compensated. */
export type RunEnding =
  | { readonly state: "failed"; readonly error: ErrorRecord }
  | { readonly state: "cancelled"; readonly reason: string | undefined };

/** All writes of a run in one commit. The store applies all of them or none. */
export interface RunWrite {
  /** The run. */
  readonly seq: number;
  /** The epoch under which the writer claimed the run. */
  readonly epoch: number;
  /** The journal rows to write. A row that is already terminal does not change: the first recorded result wins. */
  readonly records: readonly RecordWrite[];
  /** The next state of the run; `undefined` if it does not change. */
  readonly move: RunMove | undefined;
  /**
   * The number of external changes that the owner has applied (`InboxEntry.attention`); the write acknowledges them. A
   * released run with more changes than this is due immediately. @default {0}
   */
  readonly seen?: number | undefined;
  /**
   * Child runs to insert. One is owned if its owner is that of the run; a child of a paused run is paused and unowned. The
   * store inserts no child of a run with a recorded cancel, and none whose id, key or parent task exists already.
   * @default {[]}
   */
  readonly children?: readonly NewRun[] | undefined;
  /** Whether the run has, or had, child runs: other runners may change its row at any time. @default {false} */
  readonly hasChildren?: boolean;
  /** The row number of the run's parent, which the store wakes if the run ends. @default {undefined} no parent */
  readonly parent?: number | undefined;
  /** While the parent is owned under this epoch, by the writer, only a cancel of the run wakes it. @default {undefined} none */
  readonly parentHeldAs?: number | undefined;
}

/** The result of a `RunWrite`. */
export type WriteVerdict =
  | "accepted"
  /** Accepted, but by an unseen cancel the run has ended as cancelled or, if `isCompensating`, was released for that. */
  | { readonly cancelled: { readonly reason: string | undefined; readonly isCompensating?: boolean } }
  /** The run has another owner or has ended: nothing of the write was stored. */
  | "fenced"
  /** Another transaction has locked the run's row: nothing of the write was stored, and it is to be repeated later. */
  | "locked"
  /** The database refuses the write, independent of the rest of the batch; nothing of the write was stored. */
  | { readonly refused: Error };

/** The result of a `RunWrite` that is not repeated. */
export type FinalVerdict = Exclude<WriteVerdict, "locked">;

/** A workflow version that a runner can execute. */
export interface Served {
  /** The name of the workflow. */
  readonly workflow: string;
  /** The content version of the workflow. */
  readonly version: string;
}

/** A request for due runs. */
export interface ClaimRequest {
  /** The id of the runner that claims. */
  readonly runner: number;
  /** The maximum number of runs. */
  readonly limit: number;
  /** The workflow versions that the runner can execute. Runs of other workflows are not claimed. */
  readonly served: readonly Served[];
  /** Whether only runs of exactly these versions are claimed. */
  readonly pinned: boolean;
}

/** A run that the claiming runner now owns. */
export interface ClaimedRun {
  /** The id of the run. */
  readonly id: string;
  /** The row number of the run. */
  readonly seq: number;
  /** The epoch that fences all writes of the run. */
  readonly epoch: number;
  /** The name of the run's workflow. */
  readonly workflow: string;
  /** The version that the run started with. */
  readonly version: string;
  /** The run's input as JSON text. */
  readonly input: string | undefined;
  /** The run's tags. */
  readonly tags: readonly string[];
  /** How the run ends once it is compensated; `undefined` for a run without a compensation. */
  readonly ending: RunEnding | undefined;
  /** When the run was first owned. */
  readonly startedAt: number | undefined;
  /** When the run times out. */
  readonly deadlineAt: number | undefined;
  /** The maximum duration from which `deadlineAt` was derived. */
  readonly timeoutMs: number | undefined;
  /** The number of external changes of the run; the claim acknowledges all of them. */
  readonly attention: number;
  /** Whether messages may have been sent to tasks of the run. */
  readonly hasMessages: boolean;
  /** The task that started the run as a child; `undefined` for a run without a parent. */
  readonly parent: ParentTask | undefined;
  /** The number of ancestors of the run. */
  readonly depth: number;
  /** The priority of the run. */
  readonly priority: number;
  /** The number of runners that have died while they owned the run. */
  readonly crashes: number;
  /** The trace context of the start. */
  readonly trace: string | undefined;
  /**
   * The run's journal without outputs, which `outputs()` reads, and without completed items and their steps, but with the
   * items that wait for child runs (see `impliedWait()`); empty for a run that had no owner before.
   */
  readonly journal: readonly RecordHead[];
  /** The completed items of tasks, in ascending order within each task. */
  readonly completedItems: readonly ItemRange[];
}

/** The part of a run's journal that a claim returns. */
export type Heads = Pick<ClaimedRun, "journal" | "completedItems">;

/** The result of a claim. */
export interface Claim {
  /** The claimed runs, in the order of their ranks (see claim_order.ts). */
  readonly runs: readonly ClaimedRun[];
  /** Whether more runs may be due: the claim reached its limit of runs or bytes, or other transactions hold due runs. */
  readonly more: boolean;
  /** When the next served run becomes due, if none is due now. */
  readonly nextDueAt: number | undefined;
}

/** The content of one commit. */
export interface Batch {
  /** Runs to insert. */
  readonly starts: readonly NewRun[];
  /** Results and state changes of runs. */
  readonly writes: readonly RunWrite[];
}

/** The result of a batch. Verdicts are in the order of the starts and writes. */
export interface Receipt {
  /** One verdict for each start. */
  readonly starts: readonly StartVerdict[];
  /** One verdict for each write. */
  readonly writes: readonly WriteVerdict[];
  /** The child runs of accepted writes that their owner owns. @default {[]} */
  readonly children?: readonly OwnedChild[];
}
