/**
 * The persistence port: the operations that the engine requires of a database.
 *
 * The life of a run in the store: `commit()` inserts it, owned if the starting runner has room for it, otherwise
 * pending. The owner writes results under the run's `(seq, epoch)`. Each change of ownership raises `epoch`, so that
 * the store refuses the writes of a previous owner. All results are written by `commit()`; all other methods are rare.
 *
 * Every method retries transient errors (a busy or locked database, a lost connection) until it succeeds; an error that
 * a method throws is final. Times are milliseconds since the Unix epoch by the store's clock. Payloads are JSON text.
 *
 * @module
 */
import type {
  Batch,
  Claim,
  ClaimRequest,
  JournalRecord,
  NewRun,
  Receipt,
  RunState,
  Served,
  StartVerdict,
  TaskState,
} from "./batch.ts";
import type { Failure } from "../../errors.ts";
import type { ChildEnd, ChildWait } from "./children.ts";
import type {
  Acknowledgement,
  ControlledRun,
  ControlRequest,
  ControlResult,
  RestartedTasks,
  RestartRequest,
  RestartResult,
  TagChange,
  TagResult,
} from "./control.ts";
import type { Inspection } from "./inspection.ts";
import type { LimitStore } from "./limits.ts";
import type { DeleteResult, ListedRun, ListQuery, PruneTimes, RunSelection } from "./listing.ts";
import type { BlockedUnit, Delivery, Mailbox, Message, SendRequest, SendResult } from "./messages.ts";
import type { JournalOutput, OutputsRequest } from "./outputs.ts";
import type { ScheduleStore } from "./schedules.ts";
import type { TransactionRequest, TransactionVerdict } from "./transactions.ts";
import type { InboxEntry, RecoverRequest, Recovery, Renewal, RunnerCard, RunnerRow } from "./runners.ts";

/** A run's row. */
export interface RunRow extends ListedRun {
  /** The run's input as JSON text. */
  readonly input: string | undefined;
}

/** An entry in the history of a run: an event that is rare. */
export interface Fact {
  /**
   * The kind of event. `handBack` means that the owner has released the run although it was due; a `claim` is recorded
   * only if it follows an event that has left the run pending. Their `detail` is the number of the runner.
   */
  readonly kind: "cancel" | "pause" | "resume" | "recovery" | "retry" | "stranded" | "handBack" | "claim";
  /** When the event occurred. */
  readonly at: number;
  /** A description of the event. */
  readonly detail: string | undefined;
  /** For a retry, the failed attempts whose rows were deleted. @default {[]} */
  readonly failures?: readonly Failure[];
}

/** The live runs of one workflow version. */
export interface Group extends Served {
  /** Whether the group consists of parked runs. */
  readonly stranded: boolean;
}

/** The number of recorded items of a task in one state. */
export interface ItemCount {
  /** The task. */
  readonly task: string;
  /** The state. An item without a row has not started, or not run for long. */
  readonly state: TaskState;
  /** The number of items. */
  readonly count: number;
}

/** The items to read. */
export interface ItemsQuery {
  /** The run. */
  readonly seq: number;
  /** The task. */
  readonly task: string;
  /** Only items in this state. @default {undefined} in any state */
  readonly state?: TaskState | undefined;
  /** Only items with a higher number; -1 is the number of the row of the task itself. @default {-1} */
  readonly after?: number;
  /** Only items up to this number. @default {Infinity} */
  readonly until?: number;
  /** No item after the one by which all outputs exceed this number of characters. @default {Infinity} */
  readonly characters?: number;
  /** The maximum number of items. */
  readonly limit: number;
}

/** A hint of what another process may have changed. */
export interface Change {
  /** Runs may be due. */
  readonly due: boolean;
  /** Runs may have ended. */
  readonly ended: boolean;
  /** Runners that own runs with external changes; `undefined` if any runner may own such a run. */
  readonly attention: readonly number[] | undefined;
}

/** The hint that anything may have changed. */
export const ANY_CHANGE: Change = { due: true, ended: true, attention: undefined };

/** The number of runs in each state. */
export type RunCounts = Readonly<Record<RunState, number>>;

/** Exact counts since the store was opened, for tests and metrics. */
export interface StoreCounters {
  /** Committed write transactions. */
  readonly commits: number;
  /** Executed statements, without `begin`, `commit` and what `watch()` does to notice changes. */
  readonly statements: number;
  /** Inserted, updated and deleted rows, without those that notify other processes. */
  readonly rows: number;
  /** Retries of writes. */
  readonly retries: number;
}

/** The persistence port. SQLite and Postgres implement it. */
export interface Store {
  /** The database in messages; never contains a password. */
  readonly name: string;
  /** The tenant: the schema of the database that holds the store. @default {undefined} The whole database is the store. */
  readonly tenant?: string;

  /** The interval at which a runner reads the rows of the other runners, in milliseconds. @default {1_000} */
  readonly recoveryIntervalMs?: number;

  /** The maximum number of concurrent commits. Two concurrent commits never write the same run. @default {1} */
  readonly commitsAtOnce?: number;

  /**
   * Whether a start with a key blocks on an open transaction that has started a run with the same key. A batch of only
   * such starts delays no other commit and does not count towards `commitsAtOnce`.
   */
  readonly keysWait?: boolean;

  /** The time of the store's clock, in milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Returns whether the store has seen its clock set back by more than a second since this was last asked, also if the
   * clock was ahead for a moment only. @default {undefined} the caller compares `now()` with a monotonic clock
   */
  clockWasSetBack?(): boolean;
  /** Writes a batch durably in one transaction. A row that the database refuses does not affect the other rows. */
  commit(batch: Batch): Promise<Receipt>;
  /**
   * Claims due runs in a separate commit. If their inputs and journals exceed about two megabytes, or if they are many, it
   * claims fewer runs than the limit, but at least one.
   */
  claim(request: ClaimRequest): Promise<Claim>;
  /** Returns outputs from the journals of runs, without rows that have no output. The rows of a request are ordered by item. */
  outputs(requests: readonly OutputsRequest[]): Promise<readonly JournalOutput[]>;

  /** The kind of transaction that a task can run in this store; `undefined` if the store supports none. */
  readonly transactions: "sqlite" | "postgres" | undefined;
  /**
   * Runs a body in a transaction that records its result under the run's epoch: both are durable, or neither.
   *
   * @throws The error of the body, the reason of the signal, or the database's error for the row. The transaction is
   * rolled back.
   */
  transact(request: TransactionRequest): Promise<TransactionVerdict>;
  /**
   * Inserts runs in a transaction of the caller. The runs exist once the caller commits it.
   *
   * @throws {StoreError} If `tx` is not an open transaction on the store's database; nothing was written then.
   */
  insertWithin(tx: unknown, runs: readonly NewRun[]): Promise<readonly StartVerdict[]>;

  /** Inserts a runner with a lease of `leaseMs` milliseconds and returns its id. */
  join(card: RunnerCard, leaseMs: number): Promise<number>;
  /** Extends the lease of a runner to `leaseMs` milliseconds from now. */
  renew(runner: number, leaseMs: number): Promise<Renewal>;
  /** Returns the runs of a runner that have external changes which the runner has not acknowledged. */
  inbox(runner: number): Promise<readonly InboxEntry[]>;
  /** Releases all runs that the runner owns and deletes the runner's row. */
  leave(runner: number): Promise<void>;
  /** Returns all runners. */
  runners(): Promise<readonly RunnerRow[]>;
  /**
   * Recovers at most `limit` runs of dead runners: a run becomes pending under a new epoch, or fails if `recoveryLimit`
   * runners died while they owned it without progress. Only the store decides which runners are dead.
   */
  recover(request: RecoverRequest): Promise<Recovery>;

  /** Stores the definitions that a runner serves, once per version. `graph` is JSON text. */
  define(
    definitions: readonly (Served & {
      readonly structure: string;
      readonly graph: string;
      /** Whether a run may have something to undo: itself, or in its child runs. @default {false} */
      readonly compensates?: boolean;
    })[],
  ): Promise<void>;
  /** Returns the stored definition of a version as JSON text; `undefined` if it is not stored. */
  definition(served: Served): Promise<string | undefined>;
  /** Unparks the runs of these workflows that were parked by a version which is not among these; returns their number. */
  unstrand(served: readonly Served[]): Promise<number>;

  /**
   * Applies a control request. If the run is unowned or its owner is dead, the store applies the request immediately;
   * otherwise the owner is notified and applies it. Once a cancel is recorded, the run cannot end as completed. A cancel
   * has no effect on a run whose compensation has begun.
   */
  control(runId: string, request: ControlRequest): Promise<ControlResult>;
  /**
   * Applies a control request to those of the selected runs that match and have not ended, to each as `control()` does.
   * Returns the runs that it has changed. May be repeated.
   */
  controlMany(selection: RunSelection, request: ControlRequest): Promise<readonly ControlledRun[]>;
  /** Sends a message to a task of a run and wakes the run. The first message to a task is accepted, later ones are not. */
  send(runId: string, message: SendRequest): Promise<SendResult>;
  /** Returns the accepted messages of runs, whether or not their tasks have received them. */
  messages(runs: readonly number[]): Promise<readonly Message[]>;
  /** Returns blocked units of runs that have not ended, at most `limit`, those of the oldest runs first. */
  blocked(limit: number): Promise<readonly BlockedUnit[]>;
  /** Refuses further messages to a task, unless one was accepted before; returns that message. */
  closeMailbox(run: number, task: string): Promise<Mailbox>;
  /**
   * Applies a control request to the live descendants of a run, or only to those that `task` has started. It may be
   * repeated.
   */
  controlChildren(run: number, request: ControlRequest, task?: string): Promise<void>;
  /** Returns the child runs of a run, oldest first, those of retried tasks included; at most 1,000. */
  children(run: number): Promise<readonly ListedRun[]>;
  /**
   * Returns those tasks and items whose child run has ended or does not exist, in the order of `waits`; at most 200 at
   * once. After a full page, the waits behind the last one have yet to be read.
   */
  childEnds(waits: readonly ChildWait[]): Promise<readonly ChildEnd[]>;
  /** Returns whether the owners of runs have acknowledged these changes; a run without an owner has nothing to acknowledge. */
  areAcknowledged(changes: readonly Acknowledgement[]): Promise<boolean>;
  /**
   * Begins the compensation of the child run of a task or item that has completed, if its workflow has an undo and the
   * parent is owned under `epoch`; it then ends as cancelled with `reason`. It may be repeated.
   */
  compensateChild(child: ChildWait & { readonly epoch: number }, reason: string): Promise<void>;
  /**
   * Restarts a failed run: the run becomes pending under a new epoch. Deletes all journal rows of the tasks in `forget`.
   * For each task in `retry` it deletes the rows of items that did not complete and, unless the task has expanded, the
   * task's own row; an expanded task is running again. The rows of steps are kept. Tasks and items whose rows are
   * deleted may start new children; their previous ones remain as history. All rows of undos are deleted, and the tasks
   * in `compensated` are counted (`compensationsOf`). Returns false if the run is no longer failed
   * under `epoch`. A run whose key another run has taken since it ended is not restarted, nor is a child that was
   * superseded by another.
   */
  restart(run: Pick<RestartRequest, "seq" | "epoch">, tasks: RestartedTasks): Promise<RestartResult>;
  /** Restarts several failed runs in one transaction; returns the results in the order of the requests. */
  restartMany(requests: readonly RestartRequest[]): Promise<readonly RestartResult[]>;

  /** Returns a run by id; `undefined` if it does not exist. */
  run(id: string): Promise<RunRow | undefined>;
  /** Returns the ids of those runs that have ended or no longer exist. */
  ended(ids: readonly string[]): Promise<readonly string[]>;
  /** Returns the journal of a run, without items and their steps. */
  journal(seq: number): Promise<readonly JournalRecord[]>;
  /** Returns the number of recorded items of each task of a run by state. Reads all items. */
  itemCounts(seq: number): Promise<readonly ItemCount[]>;
  /** Returns recorded items of a task without their steps, in ascending order. */
  items(query: ItemsQuery): Promise<readonly JournalRecord[]>;
  /** Returns when the accepted messages of a run were sent, oldest first. */
  deliveries(run: number): Promise<readonly Delivery[]>;
  /** Returns the rare events of a run, oldest first. */
  facts(seq: number): Promise<readonly Fact[]>;
  /** Returns runs, newest first. */
  list(query: ListQuery): Promise<readonly RunRow[]>;
  /** Returns the numbers of the runs that `list()` returns. */
  numbers(query: ListQuery): Promise<readonly number[]>;
  /** Returns the workflow versions that have live unowned runs; paused runs are not considered. */
  groups(): Promise<readonly Group[]>;
  /** Returns the live unowned runs of a group, without paused runs, in claim order. */
  unowned(group: Group, limit: number): Promise<readonly ListedRun[]>;
  /** Returns the number of runs in each state. */
  counts(): Promise<RunCounts>;
  /** The operations on schedules and polls. */
  readonly schedules: ScheduleStore;
  /** The operations on limits. */
  readonly limits: LimitStore;
  /** Checks the tables and the settings of the database; returns a sentence for each problem. Reads all rows. */
  check(): Promise<readonly string[]>;
  /** The queries of the inspector. */
  readonly inspection: Inspection;
  /** Deletes a run that has ended, with its descendants and all their rows, in transactions of a bounded number of rows. */
  deleteRun(id: string): Promise<DeleteResult>;
  /**
   * Deletes those of the selected runs that match and have ended, as `deleteRun()` does; returns their number. Leaves
   * child runs to their parents, and runs with a descendant that has not ended.
   */
  deleteMany(selection: RunSelection): Promise<number>;
  /** Changes the tags of those of the selected runs that match. */
  tagMany(selection: RunSelection, change: TagChange): Promise<TagResult>;
  /**
   * Deletes at most `limit` runs that ended before the time in `before` for their state, with all their rows, in transactions of a bounded number of
   * rows, and returns the number of deleted runs. Occasionally it also deletes definitions that were stored before
   * the latest of these times, that no runner serves and with which no run started.
   */
  prune(before: PruneTimes, limit: number): Promise<number>;

  /**
   * Calls `changed` when another process may have changed the database. The call is a hint: it can be late or spurious.
   * Returns a function that stops the calls. Without watchers the store does not poll.
   */
  watch(changed: (change: Change) => void): () => void;
  /** Returns the counts since the store was opened. */
  counters(): StoreCounters;
  /** Ends all timers and connections. No method may be called afterwards. */
  close(): Promise<void>;
}
