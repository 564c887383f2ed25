/**
 * What the engine needs of a database, in the words of the engine.
 *
 * The life of a run here: `commit()` inserts it, already owned when the starter has room for it, else pending. Whoever
 * owns it writes results under its `(seq, epoch)`; each change of hands raises `epoch`, so that a late owner writes
 * nothing. `commit()` is the only path of results; everything else is rare.
 *
 * Every method retries what passes by itself (a busy or locked database, a lost connection) until it succeeds: what
 * it throws is final. Times are milliseconds since the epoch by the store's clock, payloads are JSON text.
 *
 * @module
 */
import type {
  Batch,
  Claim,
  ClaimRequest,
  JournalOutput,
  JournalRecord,
  NewRun,
  OutputsRequest,
  Receipt,
  RunState,
  Served,
  StartVerdict,
} from "./batch.ts";
import type { Inspection } from "./inspection.ts";
import type { ListedRun, ListQuery } from "./listing.ts";

/** What a runner tells of itself. */
export interface RunnerCard {
  /** The machine (and boot, and process namespace) it runs on: processes of one host can see whether another lives. */
  readonly host: string;
  /** Its process. */
  readonly pid: number;
  /** When that process began, by whatever the host counts: tells a reused pid apart. */
  readonly pidStartedAt: string | undefined;
  /** A random token of the isolate within the process: a restart by `--watch` keeps the process and its id. @default {""} */
  readonly isolate?: string;
  /** The thread that executes the isolate. @default {undefined} it cannot be identified */
  readonly thread?: string | undefined;
  /** What it can execute. */
  readonly served: readonly Served[];
  /** Whether it claims only its very versions. */
  readonly pinned: boolean;
  /** How many bodies at once. */
  readonly concurrency: number;
  /** How many runs at once. */
  readonly maxRuns: number;
}

/** A runner as the store knows it. */
export interface RunnerRow extends RunnerCard {
  /** Its number. Never used twice. */
  readonly id: number;
  /** When it joined. */
  readonly startedAt: number;
  /** Until when it is believed alive. */
  readonly leaseUntil: number;
  /** How long a renewal holds. */
  readonly leaseMs: number;
}

/**
 * An owned run that was changed from outside since its owner last acknowledged. It says how the run's row is now, so that
 * applying an entry twice, or only the last of several, is the same as applying each once.
 */
export interface InboxEntry {
  /** The run. */
  readonly seq: number;
  /** How often the run has been changed from outside. The owner acknowledges this number with its next write. */
  readonly attention: number;
  /** The run must be cancelled. */
  readonly cancel: { readonly reason: string | undefined } | undefined;
  /** The run must start nothing new. */
  readonly paused: boolean;
}

/** A run that a runner owns. */
export interface OwnedRun {
  /** Number of the run. */
  readonly seq: number;
  /** The epoch under which the runner owns it. */
  readonly epoch: number;
}

/** The result of a renewal. */
export interface Renewal {
  /** False if the runner is dead: its row is gone, and its runs are no longer its own. */
  readonly alive: boolean;
  /** Its runs that were changed from outside. */
  readonly inbox: readonly InboxEntry[];
  /** All runs that it owns. */
  readonly owned: readonly OwnedRun[];
}

/** What to recover. A runner is dead if its row is gone, if `dead` names it, or if its lease expired, unless `alive` names it. */
export interface RecoverRequest {
  /** Runners whose isolate is known to have ended, whatever their lease says. */
  readonly dead: readonly number[];
  /** Runners that are excused although their lease has expired. @default {[]} */
  readonly alive?: readonly number[];
  /** A run is failed once so many runners died with it without progress. */
  readonly recoveryLimit: number;
  /** At most so many runs. */
  readonly limit: number;
}

/** What taking over from dead runners did. */
export interface Recovery {
  /** Runs that are pending again, or still paused. */
  readonly released: readonly { readonly id: string; readonly workflow: string; readonly crashes: number }[];
  /** Runs that were given up because too many runners died with them. */
  readonly failed: readonly { readonly id: string; readonly workflow: string; readonly crashes: number }[];
  /** Whether more runs of dead runners are left for another call. */
  readonly more: boolean;
}

/** A change of a run from outside. */
export type ControlRequest =
  | { readonly kind: "cancel"; readonly reason: string | undefined }
  | { readonly kind: "pause"; readonly reason: string | undefined }
  | { readonly kind: "resume" };

/** The result of a control request. */
export type ControlResult =
  /** It is recorded. `state` is the run's state now; `owner` applies it, and then acknowledges `attention`. */
  | {
    readonly kind: "done";
    readonly state: RunState;
    readonly owner: number | undefined;
    readonly attention: number;
  }
  /** The run has ended, in this state. */
  | { readonly kind: "ended"; readonly state: RunState }
  /** There is no such run. */
  | { readonly kind: "unknown" };

/** A run's row. */
export interface RunRow extends ListedRun {
  /** Its input as JSON text. */
  readonly input: string | undefined;
}

/** A rare fact of a run's history. */
export interface Fact {
  /** What happened. */
  readonly kind: "cancel" | "pause" | "resume" | "recovery" | "retry" | "stranded";
  /** When. */
  readonly at: number;
  /** In words. */
  readonly detail: string | undefined;
}

/** Live runs of one kind. */
export interface Group extends Served {
  /** Whether it holds stranded runs. */
  readonly stranded: boolean;
}

/** What another process may have changed. */
export interface Change {
  /** Runs may be due. */
  readonly due: boolean;
  /** Runs may have ended. */
  readonly ended: boolean;
  /** Runners with runs that were changed from outside; `undefined` if any runner may have one. */
  readonly attention: readonly number[] | undefined;
}

/** Anything may have changed. */
export const ANY_CHANGE: Change = { due: true, ended: true, attention: undefined };

/** How many runs are in each state. */
export type RunCounts = Readonly<Record<RunState, number>>;

/** Exact counts since the store was opened, for tests and metrics. */
export interface StoreCounters {
  /** Write transactions that were committed. */
  readonly commits: number;
  /** Statements executed, `begin` and `commit` left out. */
  readonly statements: number;
  /** Rows inserted, updated or deleted. */
  readonly rows: number;
  /** Times a write had to be tried again. */
  readonly retries: number;
}

/** A body that is to run inside of a transaction which also records what it returns. */
export interface TransactionRequest {
  /** The run. */
  readonly seq: number;
  /** The epoch under which its owner claimed it. */
  readonly epoch: number;
  /** The task. */
  readonly task: string;
  /**
   * Runs in the transaction, which it is given as the driver's own handle; answers the row to record. Called again,
   * with another transaction, when the database could not carry out the first.
   */
  readonly body: (tx: unknown) => Promise<JournalRecord>;
  /** Takes everything back when it aborts, unless the commit is under way. */
  readonly signal: AbortSignal;
  /** Told that the commit is about to be sent: from now on nothing can be taken back. */
  readonly committing: () => void;
}

/** What became of a transaction. */
export type TransactionVerdict =
  /** It is committed, with this output. */
  | { readonly kind: "committed"; readonly output: string | undefined }
  /** Somebody else owns the run by now, or it ended: nothing of it was kept. */
  | { readonly kind: "fenced" };

/** The persistence port. SQLite and Postgres implement it. */
export interface Store {
  /** Says which database, without any password, for messages. */
  readonly name: string;

  /** How often a runner reads the rows of the others, in milliseconds. @default {1_000} */
  readonly recoveryIntervalMs?: number;

  /** How many commits may be on their way at once. What two of them write is never of the same run. @default {1} */
  readonly commitsAtOnce?: number;

  /**
   * Whether a start with a key waits for a transaction that has started a run with the same key and is still open. A
   * batch of such starts alone keeps no other commit waiting, and may be sent beside any number of others.
   */
  readonly keysWait?: boolean;

  /** The store's clock, in milliseconds since the epoch. */
  now(): number;

  /** Writes a batch durably, as one transaction; a row the database refuses does not disturb the others. */
  commit(batch: Batch): Promise<Receipt>;
  /**
   * Takes due runs, in a commit of its own. It takes fewer than the limit where their inputs and journals come to more than
   * about two megabytes, but at least one.
   */
  claim(request: ClaimRequest): Promise<Claim>;
  /** Outputs in the journals of runs; a row without an output is left out. The rows of one request are in the order of their items. */
  outputs(requests: readonly OutputsRequest[]): Promise<readonly JournalOutput[]>;

  /** Of which database a task can be a transaction here; `undefined` if of none. */
  readonly transactions: "sqlite" | "postgres" | undefined;
  /**
   * Runs a body in a transaction that records its result under the run's epoch: both are durable, or neither.
   *
   * @throws What the body threw, the signal's reason, or what the database says of the row; nothing was kept then.
   */
  transact(request: TransactionRequest): Promise<TransactionVerdict>;
  /**
   * Inserts runs as part of a transaction of the caller's: they are there once that is committed.
   *
   * @throws {StoreError} If `tx` is no open transaction on this very database; nothing was written then.
   */
  insertWithin(tx: unknown, runs: readonly NewRun[]): Promise<readonly StartVerdict[]>;

  /** Inserts a runner, whose lease holds for `leaseMs`, and answers its number. */
  join(card: RunnerCard, leaseMs: number): Promise<number>;
  /** Extends a lease. */
  renew(runner: number, leaseMs: number): Promise<Renewal>;
  /** The runs of a runner that were changed from outside since it last acknowledged. */
  inbox(runner: number): Promise<readonly InboxEntry[]>;
  /** Hands back whatever the runner still owns and deletes it. */
  leave(runner: number): Promise<void>;
  /** All runners. */
  runners(): Promise<readonly RunnerRow[]>;
  /**
   * Recovers runs (at most `limit`) of dead runners: pending again under a new epoch, or failed once `recoveryLimit`
   * runners died with them without getting further. The store alone decides which runners are dead.
   */
  recover(request: RecoverRequest): Promise<Recovery>;

  /** Stores the definitions a runner brings, once per version. `graph` is JSON text. */
  define(definitions: readonly (Served & { readonly structure: string; readonly graph: string })[]): Promise<void>;
  /** The stored definition of a version, as JSON text. */
  definition(served: Served): Promise<string | undefined>;
  /** Lets stranded runs of these workflows be tried again, where another version than these had given them up. */
  unstrand(served: readonly Served[]): Promise<number>;

  /**
   * Changes a run from outside: at once if it is unowned, or its owner is dead; else its owner is notified and applies the
   * change. Once a cancel is recorded the run cannot end as completed.
   */
  control(runId: string, request: ControlRequest): Promise<ControlResult>;
  /** Whether the owner of a run has acknowledged `attention`, or the run has no owner any more. */
  isAcknowledged(runId: string, attention: number): Promise<boolean>;
  /**
   * Sets a failed run going again: pending, under a new epoch. Deletes all journal rows of the tasks in `forget`. Of
   * the tasks in `retry` it deletes the task's own row and the rows of items that did not complete; rows of steps stay.
   * False if the run is no longer failed under `epoch`.
   */
  restart(
    run: { readonly seq: number; readonly epoch: number },
    tasks: { readonly retry: readonly string[]; readonly forget: readonly string[] },
  ): Promise<boolean>;

  /** A run by its id. */
  run(id: string): Promise<RunRow | undefined>;
  /** Those of some runs that have ended, or that are not there any more. */
  ended(ids: readonly string[]): Promise<readonly string[]>;
  /** A run's journal. */
  journal(seq: number): Promise<readonly JournalRecord[]>;
  /** A run's rare facts, oldest first. */
  facts(seq: number): Promise<readonly Fact[]>;
  /** Runs, newest first. */
  list(query: ListQuery): Promise<readonly RunRow[]>;
  /** Which workflows and versions have live runs that nobody owns, paused ones left out. */
  groups(): Promise<readonly Group[]>;
  /** Live runs of a group that nobody owns, paused ones left out, in the order in which they would be claimed. */
  unowned(group: Group, limit: number): Promise<readonly ListedRun[]>;
  /** How many runs are in each state. */
  counts(): Promise<RunCounts>;
  /** What the inspector asks. */
  readonly inspection: Inspection;
  /**
   * Deletes at most `limit` runs that ended before `before`, with all that belongs to them, in transactions of a bounded
   * number of rows; returns how many. Once in a while it also deletes the definitions that were stored before `before`,
   * that no runner serves and with which no run started.
   */
  prune(before: number, limit: number): Promise<number>;

  /**
   * Calls `changed` when another process may have changed the database: a hint, sometimes late or in vain. Returns a
   * function that ends it. Without watchers nothing is polled.
   */
  watch(changed: (change: Change) => void): () => void;
  /** What this store has done so far. */
  counters(): StoreCounters;
  /** Ends all timers and connections. Nothing may be called after it. */
  close(): Promise<void>;
}
