import type { AttemptSteps } from "./attempt_steps.ts";
import type { TaskContext } from "../../definition/context.ts";
import type { StartedRun } from "../../definition/task_start.ts";
import type { Failure } from "../../errors.ts";
import type { NewRun, RecordWrite } from "../../store/port/batch.ts";
import type { ParentTask } from "../../store/port/inserted_child.ts";
import type { PendingWrite } from "../commit/committer.ts";
import type { Expansion } from "./expansion.ts";
import type { Closing } from "./closing.ts";
import { type Compensation, compensationsIn, type LoadedRun } from "./loaded_run.ts";
import type { ChildRequests } from "./child_requests.ts";
import type { ChildOutcome } from "./child_outcome.ts";
import type { RunStarts, UnitPermit } from "../limits/unit_permit.ts";
import type { Spawning } from "./spawning.ts";
import type { Plan } from "../machine/plan.ts";
import { recordedUnits } from "./recorded_units.ts";
import {
  type Items,
  newRunState,
  NO_ITEM,
  type RunState,
  Unit,
  type UnitMaker,
  type WokenBy,
} from "../machine/run_state.ts";
import type { AttemptTrace, RunTrace } from "../telemetry/tracing.ts";

/** No failed attempts. */
export const NO_FAILURES: readonly Failure[] = [];

/** A run that this process owns and holds in memory; see also `restoredRun`. */
export class LiveRun implements UnitMaker<LiveUnit> {
  /** Its id. */
  readonly id: string;
  /** Its row. */
  readonly seq: number;
  /** The fence of all its writes. */
  readonly epoch: number;
  /** Its compiled workflow. */
  readonly plan: Plan;
  /** Its input as JSON text. */
  readonly input: string | undefined;
  /** When a runner first took it. */
  readonly begunAt: number | undefined;
  /** When it must have ended; later by as long as it was paused. */
  deadlineAt: number | undefined;
  /** The limit behind `deadlineAt`, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** How many runners have died with it. */
  readonly crashes: number;
  /** The task of its parent that started it. */
  readonly parent: ParentTask | undefined;
  /** How many ancestors it has. */
  readonly depth: number;
  /** Its priority, which its child runs inherit. */
  readonly priority: number;
  /** The trace context of its starter. */
  readonly origin: string | undefined;
  /** The state machine's view of it. */
  readonly state: RunState<LiveUnit>;
  /** Those of its attempts that wait for a slot: the first and the last of a linked list. */
  firstQueued: Attempt | undefined = undefined;
  lastQueued: Attempt | undefined = undefined;
  /** Clears timers. */
  declare timers: Map<RunTimer, () => void> | undefined;
  /** What waits to be written and may still grow. */
  pending: LiveWrite | undefined = undefined;
  /** How many changes from outside have been applied. */
  seen: number;
  /** Since when it is paused. */
  declare pausedAt: number | undefined;
  /** Payloads of messages to its units as JSON text, by address. */
  declare messages: Map<string, string | undefined> | undefined;
  /** Whether it has, or had, child runs. */
  hasChildren: boolean = false;
  /** How many of its child runs are about to end in this process without waking it in the store. */
  declare endingChildren: number;
  /** The requests to its child runs (`undefined`), and to those of its tasks. */
  declare childRequests: Map<string | undefined, ChildRequests> | undefined;
  /** How child runs have ended whose tasks still wait, by `unitKey`. */
  declare childOutcomes: Map<string, ChildOutcome> | undefined;
  /** What it is beside its undos, while it is compensated. */
  readonly compensation: Compensation<LiveRun> | undefined;
  /** How often its tasks were compensated and then restarted, by id. */
  readonly compensations: ReadonlyMap<string, number> | undefined;
  /** Why it is being ended from outside. */
  declare closing: Closing | undefined;
  /** What its row says. */
  stored: "running" | "waiting" = "running";
  /** Until when it waits, as its row says. */
  declare storedDueAt: number | undefined;
  /** Whether this process has released it: whatever still arrives is ignored. */
  gone: boolean = false;
  /** Whether the write that takes it out of memory is on its way: nothing new may happen to it. */
  isLeaving: boolean = false;
  /** Whether it was changed from outside while that write was in flight, so that it is due as soon as it is released. */
  declare isChangedLate: boolean;
  /** Whether the database refused something of it. */
  declare isRefused: boolean;
  /** Hooks that have been called and returned a promise. */
  declare hooks: Promise<unknown>[] | undefined;
  /** Follows it, if tracing is on. */
  declare trace: RunTrace | undefined;
  /** Whether units of it have requested slots of limits, perhaps those of an earlier version. */
  declare hasPermits: boolean;
  /** Its starts in limits of rate of its workflow; `undefined` for none. */
  declare starts: RunStarts | undefined;
  /** Names of steps whose outputs only the store has, by `unitKey()`. */
  declare storedSteps: Map<string, string[]> | undefined;

  constructor(plan: Plan, loaded: LoadedRun<LiveRun>) {
    this.id = loaded.id;
    this.seq = loaded.seq;
    this.epoch = loaded.epoch;
    this.plan = plan;
    this.input = loaded.input;
    this.begunAt = loaded.startedAt;
    this.deadlineAt = loaded.deadlineAt;
    this.timeoutMs = loaded.timeoutMs;
    this.crashes = loaded.crashes;
    this.parent = loaded.parent;
    this.depth = loaded.depth;
    this.priority = loaded.priority;
    this.seen = loaded.attention;
    this.origin = loaded.trace;
    this.compensation = loaded.compensation;
    this.compensations = loaded.compensation?.base.compensations ?? compensationsIn(loaded.journal);
    this.state = newRunState(plan, this, recordedUnits(plan, loaded));
  }

  // A method, and not a closure for each run: thousands of them are in memory.
  newUnit(node: number, item: number): LiveUnit {
    return new LiveUnit(this, node, item);
  }
}

// The defaults of what most runs never have. A run has a field of its own once it is set, and is smaller by eight bytes for
// each that is not: thousands of runs are in memory, and each collection of garbage copies them.
Object.assign(LiveRun.prototype, {
  timers: undefined,
  messages: undefined,
  pausedAt: undefined,
  endingChildren: 0,
  childRequests: undefined,
  childOutcomes: undefined,
  closing: undefined,
  storedDueAt: undefined,
  isChangedLate: false,
  isRefused: false,
  hooks: undefined,
  trace: undefined,
  hasPermits: false,
  starts: undefined,
  storedSteps: undefined,
});

/** A timer of a run: for its deadline, the grace of a stopping run, or the release of a parked one. */
export type RunTimer = "deadline" | "grace" | "release";

/** A unit of a run in memory. */
export class LiveUnit extends Unit {
  /** Its run. */
  readonly run: LiveRun;
  /** Its output as JSON text, once completed. Those of an expanded node are in `expansion`. */
  output: string | undefined = undefined;
  /** Whether it has completed and only the store has its output. */
  isStored: boolean = false;
  /** Its items, if it has expanded. */
  declare expansion: Expansion | undefined;
  /** The child run to insert with the row that says that it waits for that. */
  declare spawning: NewRun | undefined;
  /** Its failed attempts. */
  failures: readonly Failure[] = NO_FAILURES;
  /** When its latest attempt began. */
  startedAt: number | undefined = undefined;
  /** Whether the journal has a row of it, or one is on its way. */
  isWritten: boolean = false;
  /** Whether a row is in flight that says that it waits. */
  declare isWaitInFlight: boolean;
  /** Whether it is blocked since its run was loaded, and the journal does not say so. */
  declare isNewlyBlocked: boolean;
  /** The attempt whose end is not durable. */
  attempt: Attempt | undefined = undefined;
  /** Clears the timer of its wait. */
  declare disarm: (() => void) | undefined;
  /** Its slots in the lanes of its limits. */
  declare permit: UnitPermit | undefined;
  /** What the last attempt of a failed unit threw, for its hook. */
  declare thrown: unknown;
  /** Outputs of steps as JSON text, which are durable or about to be, by name. */
  declare steps: Map<string, Promise<string | undefined>> | undefined;

  constructor(run: LiveRun, node: number, item: number) {
    super(run.plan, node, item);
    this.run = run;
  }
}

// The same for units.
Object.assign(LiveUnit.prototype, {
  expansion: undefined,
  spawning: undefined,
  isWaitInFlight: false,
  isNewlyBlocked: false,
  disarm: undefined,
  permit: undefined,
  thrown: undefined,
  steps: undefined,
});

/** One try at a unit, or the continuation of a suspended one. */
export interface Attempt {
  /** Its unit. */
  readonly unit: LiveUnit;
  /** Which try, counted from 1. */
  readonly number: number;
  /** What woke the unit, if this continues it. */
  readonly wokenBy: WokenBy | undefined;
  /**
   * `loading` waits for what it reads from the store, `queued` for a slot; `over` has ended for the engine, whatever its
   * body still does.
   */
  stage: "new" | "loading" | "queued" | "running" | "over";
  /** Why what it reads cannot be read; thrown instead of a call of its body. */
  unreadable: Error | undefined;
  /** Index among the running attempts; -1 for none. */
  slot: number;
  /** The next attempt of the same run in the queue for slots. */
  next: Attempt | undefined;
  /** When it began. */
  startedAt: number;
  /** When it began by the monotonic clock. */
  beganAt: number;
  /** How long its body took, in milliseconds by the monotonic clock; `undefined` before its end. */
  tookMs: number | undefined;
  /** What its body and hooks receive. */
  context: AttemptContext | undefined;
  /** The steps that its body has called; `undefined` for none. */
  steps: AttemptSteps | undefined;
  /** The transaction in which its body runs. */
  transaction: AttemptTransaction | undefined;
  /** Why it was aborted. */
  aborted: { readonly reason: unknown } | undefined;
  /** Clears its time-out. */
  disarm: (() => void) | undefined;
  /** Whether its body has been called. */
  isBegun: boolean;
  /** Whether the journal says that it runs. */
  isMarked: boolean;
  /** Whether its end is durable already: a transaction has recorded it. */
  isRecorded: boolean;
  /** The last value of `ctx.progress`, as JSON text. */
  progress: string | undefined;
  /** Follows it, if tracing is on. */
  trace: AttemptTrace | undefined;
}

/** One call of a body in a transaction. */
export interface AttemptTransaction {
  /** The handle of the driver. */
  readonly tx: unknown;
  /** The runs that the body has started in it, by the names of the starts. */
  readonly starts: Map<string, Promise<StartedRun>>;
}

/** A context whose signal can be aborted. */
export interface AttemptContext extends TaskContext {
  /** Aborts the signal, also before its first use. */
  abort(reason: unknown): void;
}

/** A row to write, with the unit that it belongs to. */
export interface LiveRecord extends RecordWrite {
  readonly unit: LiveUnit;
  /** Whether it says that the unit consists of items. */
  readonly isExpansion: boolean;
}

/** What a live run has to write. */
export interface LiveWrite extends PendingWrite {
  /** The run. */
  readonly run: LiveRun;
  readonly records: LiveRecord[];
  children: NewRun[] | undefined;
  hasChildren: boolean;
  parentHeldAs: number | undefined;
  /** Payloads in it, in characters. */
  size: number;
  /** The parent of the run, which learns of its end from the verdict. */
  holds: LiveRun | undefined;
  /** Its child runs, once it is sent. */
  spawning: Spawning | undefined;
  /** Items that wait for some of its child runs and have no rows. */
  waits: LiveUnit[] | undefined;
  /** Notified when it is durable, or with the reason why it is not. */
  waiting: { readonly done: () => void; readonly failed: (error: Error) => void }[] | undefined;
}

/** Returns the unit of a node, or of one of its items; `undefined` if it is not in memory. */
export function unitAt({ plan, state }: LiveRun, task: string, item: number): LiveUnit | undefined {
  const node = plan.numbers.get(task);
  if (node === undefined || item === NO_ITEM) return node === undefined ? undefined : state.units[node];
  return state.items?.get(node)?.open.get(item);
}

/** Every unit of a run that may have an attempt: its nodes, and its items that have begun and not ended. */
export function unitsOf({ state: { units, items } }: LiveRun): Iterable<LiveUnit> {
  return items === undefined ? units : withItems(units, items);
}

function* withItems(units: readonly LiveUnit[], items: ReadonlyMap<number, Items<LiveUnit>>): Iterable<LiveUnit> {
  yield* units;
  for (const { open } of items.values()) yield* open.values();
}
