import type { Unit, Wake, WokenBy } from "./run_state.ts";

/** An event of a run. */
export type MachineEvent<U extends Unit = Unit> =
  /** The first event: the run is in memory. */
  | { readonly type: "started" }
  /** The condition of a unit was evaluated. */
  | { readonly type: "conditionPassed" | "conditionFailed"; readonly unit: U }
  /** A unit has its result. */
  | { readonly type: "completed"; readonly unit: U }
  /** An attempt failed; with `retryAt` another one follows. */
  | { readonly type: "failed"; readonly unit: U; readonly retryAt: number | undefined }
  /** An attempt is postponed and does not count. */
  | { readonly type: "deferred"; readonly unit: U; readonly wake: Wake; readonly message?: string | undefined }
  /** An attempt does not begin, as a limit has no free place; it begins when one is free, and an item keeps its turn. */
  | { readonly type: "held"; readonly unit: U }
  /** A unit waits, and continues where it is when it is woken. */
  | { readonly type: "suspended"; readonly unit: U; readonly wake: Wake; readonly reason: string }
  /** A unit consists of that many items, of which those in `omitted` are left out. */
  | {
    readonly type: "expanded";
    readonly unit: U;
    readonly items: number;
    readonly omitted?: readonly { readonly first: number; readonly last: number }[];
  }
  /** An attempt was given up without a result and does not count. */
  | { readonly type: "abandoned"; readonly unit: U }
  /** The end of a unit, or its expansion, is durable. */
  | { readonly type: "durable"; readonly unit: U }
  /** What a unit waited for has come. Its row may be in flight: then it continues with the next event of this type. */
  | { readonly type: "woken"; readonly unit: U; readonly by: WokenBy; readonly isInFlight?: boolean }
  /** The child run of an item of an active run has ended, for which the item waited, and with it the item. */
  | { readonly type: "childEnded"; readonly unit: U; readonly as: "completed" | "failed" }
  /** Nothing new may start, or may again. */
  | { readonly type: "paused" | "resumed" }
  /** The run is to end as `as` once nothing of it runs, nor a child run. */
  | { readonly type: "stopRequested"; readonly as: "cancelled" | "failed" }
  /** The time that running bodies and child runs have to settle has passed. */
  | { readonly type: "graceElapsed" };

/** Something to do for a run. */
export type Command<U extends Unit = Unit> =
  /** Begin an attempt, its condition first. */
  | { readonly do: "start"; readonly unit: U }
  /** Continue a suspended unit. */
  | { readonly do: "continue"; readonly unit: U; readonly by: WokenBy }
  /** Write the unit's row. */
  | { readonly do: "record"; readonly unit: U }
  /** Send `woken` when what the unit waits for comes. */
  | { readonly do: "wait"; readonly unit: U; readonly wake: Wake }
  /** Nothing runs, and nothing can start before `at`, or before something arrives from outside. */
  | { readonly do: "park"; readonly at: number | undefined }
  /** The run is paused and nothing runs: release it. */
  | { readonly do: "release" }
  /** Abort the running bodies of the run, or of one unit. */
  | { readonly do: "abort"; readonly unit: U | undefined }
  /** Cancel the child runs of the items of a unit. */
  | { readonly do: "cancelChildren"; readonly unit: U }
  /** The run is over; belongs to the same commit as the records before it. */
  | { readonly do: "end"; readonly as: "completed" | "failed" | "cancelled" };
