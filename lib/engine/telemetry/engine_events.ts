/**
 * What happens to runs in this process, as one stream of typed events. Metrics, `onEvent` and the watcher of runs
 * subscribe to it; the parts of the engine only emit.
 *
 * @module
 */
import type { ErrorRecord } from "../../errors.ts";
import type { Progress } from "../reading/events.ts";
import type { Attempt, LiveRun, LiveUnit } from "../runs/live_run.ts";
import type { LiveRunEnd } from "../runs/run_end.ts";
import type { LostTick } from "../schedules/stored.ts";

/** A run that is not in memory. */
export interface StoredRun {
  readonly id: string;
  readonly workflow: string;
}

/** What became of the ticks of a schedule that were due. */
export interface ScheduleAdvance {
  readonly schedule: string;
  readonly workflow: string;
  /** Runs that were started. */
  readonly runs: readonly { readonly id: string; readonly tick: number; readonly lateMs: number }[];
  /** Ticks that started no run because an earlier run had not ended. */
  readonly overlapped: number;
  /** Ticks that no runner could start in time. */
  readonly missed: number;
  /** Ticks that were given up. */
  readonly failed: number;
  /** The latest ticks that started no run, oldest first. */
  readonly lost: readonly LostTick[];
}

/** A start that failed. */
export interface ScheduleFailed {
  readonly schedule: string;
  readonly workflow: string;
  readonly tick: number | undefined;
  readonly message: string;
  /** When it is tried again; `undefined` for a tick that was given up. */
  readonly retryAt: number | undefined;
}

/** An event of the engine. */
export type EngineEvent =
  /** A run came into memory. */
  | { readonly type: "runLoaded"; readonly run: LiveRun }
  /** A run was released before its end. */
  | {
    readonly type: "runReleased";
    readonly run: LiveRun;
    readonly as: "waiting" | "paused" | "compensating" | "handedBack";
  }
  /** A run belongs to another runner. */
  | { readonly type: "runLost"; readonly run: LiveRun }
  /** The store takes nothing of a run any more. */
  | { readonly type: "runAbandoned"; readonly run: LiveRun; readonly error: Error }
  /** The end of a run is durable, but hooks of it have not returned. */
  | { readonly type: "runEnding"; readonly run: LiveRun }
  /** The end of a run is durable, and its hooks have returned. */
  | { readonly type: "runEnded"; readonly run: LiveRun; readonly end: LiveRunEnd }
  /** Something of a run became durable. */
  | { readonly type: "runChanged"; readonly runId: string }
  /** A slot or a place in memory was released; `dueAt` is when the run that left memory is due, if it waits. */
  | { readonly type: "capacityReleased"; readonly dueAt: number | undefined }
  /** Runs that waited for slots of limits are due. */
  | { readonly type: "runsAdmitted" }
  /** Child runs of a run are durable, due, and left to any runner. */
  | { readonly type: "childrenStarted"; readonly run: LiveRun }
  /** A control request was applied to the child runs of a run, which this process may have in memory. */
  | { readonly type: "childrenControlled"; readonly run: LiveRun }
  /** A run that has a parent left memory, with a write that may have ended it and woken its parent. */
  | { readonly type: "parentWoken"; readonly run: LiveRun }
  /** A body is about to be called. */
  | { readonly type: "attemptStarted"; readonly attempt: Attempt }
  /** A body reported its progress. */
  | { readonly type: "attemptProgressed"; readonly attempt: Attempt; readonly progress: Progress }
  /** An attempt failed, and another one follows. */
  | { readonly type: "attemptFailed"; readonly attempt: Attempt; readonly error: ErrorRecord; readonly dueAt: number }
  /** An attempt is postponed. */
  | {
    readonly type: "attemptDeferred";
    readonly attempt: Attempt;
    readonly dueAt: number;
    readonly message: string | undefined;
  }
  /** The attempt of a unit that runs at most once has ended without a result. */
  | { readonly type: "unitBlocked"; readonly unit: LiveUnit }
  /** The end of a unit is durable; its last attempt took that long. */
  | { readonly type: "unitEnded"; readonly unit: LiveUnit; readonly tookMs: number | undefined }
  /** The undo of a task has failed for good. */
  | { readonly type: "undoFailed"; readonly unit: LiveUnit; readonly message: string }
  /** A run was taken from a dead runner. */
  | { readonly type: "runRecovered"; readonly run: StoredRun; readonly crashes: number }
  /** A run was given up because too many runners died with it. */
  | { readonly type: "runGivenUp"; readonly run: StoredRun; readonly error: ErrorRecord }
  /** A claimed run cannot continue with the version that this runner has. */
  | { readonly type: "runParked"; readonly run: StoredRun; readonly reason: string }
  /** A schedule was advanced by this runner. */
  | { readonly type: "scheduleAdvanced"; readonly advance: ScheduleAdvance }
  /** The input of a tick, or the check of a poll, has failed. */
  | { readonly type: "scheduleFailed"; readonly failure: ScheduleFailed }
  /** A check of a poll took that long, and its result is durable. */
  | {
    readonly type: "pollChecked";
    readonly schedule: string;
    readonly workflow: string;
    /** Runs that were started. */
    readonly runIds: readonly string[];
    /** Whether it has failed. */
    readonly isFailed: boolean;
    readonly ms: number;
  }
  /** The result of a check was dropped: the lease of the poll was over before it returned. */
  | { readonly type: "checkDropped"; readonly schedule: string; readonly workflow: string }
  /** A commit wrote that many rows. */
  | { readonly type: "committed"; readonly rows: number; readonly ms: number }
  /** A commit failed, and no retry helps. */
  | { readonly type: "commitFailed" }
  /** The lease of the runner expired, or the store declared the runner dead. */
  | { readonly type: "leaseLost" }
  /** The lease holds again after it was in doubt or lost. */
  | { readonly type: "leaseConfirmed" };

/** Receives events. It must not throw. */
export type Observer = (event: EngineEvent) => void;

/** A stream of events. */
export interface EngineEvents {
  /** Passes an event to its observers, in the order of their subscription, before it returns. */
  readonly emit: Observer;
  /** Adds an observer of events of some types. @default {undefined} for `types`: of all */
  subscribe(observer: Observer, types?: readonly EngineEvent["type"][]): void;
}

/** A stream without observers. */
export function createEngineEvents(): EngineEvents {
  const subscriptions: { readonly observer: Observer; readonly types: readonly string[] | undefined }[] = [];
  // By type: under load events come with each body, and most observers want few of them.
  const observers = new Map<string, readonly Observer[]>();
  return {
    emit(event) {
      for (const observe of observers.get(event.type) ?? observersOf(event.type)) observe(event);
    },
    subscribe(observer, types) {
      subscriptions.push({ observer, types });
      observers.clear();
    },
  };

  function observersOf(type: string): readonly Observer[] {
    const found = subscriptions.flatMap(({ observer, types }) =>
      types === undefined || types.includes(type) ? [observer] : []
    );
    observers.set(type, found);
    return found;
  }
}
