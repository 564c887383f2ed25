import type { NewRun, StartVerdict } from "../store/port/batch.ts";
import type { Catalog } from "./catalog.ts";
import type { ClaimLoop } from "./fleet/claim_loop.ts";
import type { Insert } from "./client/client_starts.ts";
import type { Committer, PendingStart } from "./commit/committer.ts";
import type { Executor } from "./execution/executor_options.ts";
import type { Lease } from "./fleet/lease.ts";
import { insertedRun } from "./runs/inserted_run.ts";
import { createStartBounds } from "./client/start_bounds.ts";

/** What inserting runs needs of a runner. */
export interface OwnStartsOptions {
  readonly catalog: Catalog;
  readonly committer: Committer;
  readonly claims: Pick<ClaimLoop, "isBacklogged" | "requested" | "returned" | "leftBehind" | "lookAt">;
  readonly executor: Executor;
  readonly lease: Pick<Lease, "runner" | "isHeld" | "owns">;
  /** The store's time. */
  readonly now: () => number;
  readonly isStopping: () => boolean;
}

/** Runs of one caller on their way into the store. */
interface OwnStart extends PendingStart {
  /** How many of them have a place reserved. */
  readonly kept: number;
  readonly resolve: (verdicts: readonly StartVerdict[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Returns a function that inserts runs in one commit. This runner owns as many as it has capacity for. It
 * rejects with a `QueueFullError` if too many runs wait for their commit.
 */
export function createOwnStarts(options: OwnStartsOptions): Insert {
  const { catalog, committer, claims, executor, lease, now } = options;
  const bounds = createStartBounds();
  return (runs) => {
    try {
      bounds.enter(runs);
    } catch (error) {
      return Promise.reject(error);
    }
    return insert(runs);
  };

  function insert(runs: readonly NewRun[]): Promise<readonly StartVerdict[]> {
    if (mustWait(runs)) return insertLater(runs);
    return new Promise((resolve, reject) => {
      const kept = takePlaces(runs);
      const start: OwnStart = { runs, kept, resolve, reject, onResult: settled, onDropped: dropped };
      committer.start(start);
    });
  }

  /**
   * Places that the claim in flight may fill are most often free again when it returns. To leave the runs in the store, and
   * others behind them, would cost more than to wait for it.
   */
  function mustWait(runs: readonly NewRun[]): boolean {
    return !claims.isBacklogged && claims.requested > 0 && executor.room < runs.length;
  }

  async function insertLater(runs: readonly NewRun[]): Promise<readonly StartVerdict[]> {
    while (mustWait(runs)) await claims.returned();
    return await insert(runs);
  }

  /** Reserves capacity for as many of the runs as possible and makes this runner their owner; returns how many. */
  function takePlaces(runs: readonly NewRun[]): number {
    // None while others wait in the store, as these come first.
    const places = options.isStopping() || claims.isBacklogged || !lease.isHeld() ? 0 : executor.room;
    let kept = 0;
    for (const run of runs) {
      // A debounced run is pending until it is due, even if that is now.
      if (kept >= places || run.fork !== undefined || run.debounce !== undefined || laterAt(run) !== undefined) {
        continue;
      }
      // It is due once it has its slots.
      if (run.limits !== undefined) continue;
      run.owner = lease.runner;
      kept++;
    }
    executor.reserve(kept);
    return kept;
  }

  // The committer calls this in its own async context: the first body of a run must not see that of the caller.
  function settled(this: void, verdicts: readonly StartVerdict[], { runs, kept, resolve }: OwnStart): void {
    bounds.leave(runs);
    resolve(verdicts);
    try {
      for (let at = 0; at < runs.length; at++) settle(runs[at]!, verdicts[at]!);
    } finally {
      executor.unreserve(kept);
    }
  }

  function dropped(this: void, error: Error, { runs, kept, reject }: OwnStart): void {
    bounds.leave(runs);
    executor.unreserve(kept);
    reject(error);
  }

  // Not a type predicate: without strict checks of null, a run for which it is false would have the type `never`.
  function laterAt({ dueAt }: NewRun): number | undefined {
    return dueAt !== undefined && dueAt > now() ? dueAt : undefined;
  }

  function settle(run: NewRun, verdict: StartVerdict): void {
    if (verdict.kind === "replaced") return claims.lookAt(verdict.dueAt);
    if (verdict.kind !== "started") return;
    if (run.limits !== undefined) return;
    if (!verdict.owned) {
      const dueAt = laterAt(run);
      return dueAt === undefined ? claims.leftBehind() : claims.lookAt(dueAt);
    }
    // The lease was lost in the meantime: the run was handed back with all others.
    if (run.owner === undefined || !lease.owns(run.owner)) return;
    executor.adopt(insertedRun(catalog.get(run.workflow)!, run, verdict));
  }
}
