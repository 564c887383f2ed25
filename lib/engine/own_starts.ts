import { AsyncLocalStorage } from "node:async_hooks";
import type { NewRun, StartVerdict } from "../store/batch.ts";
import type { Catalog } from "./catalog.ts";
import type { ClaimLoop } from "./claim_loop.ts";
import type { Committer } from "./committer.ts";
import type { Executor } from "./executor.ts";
import type { Lease } from "./lease.ts";
import { LiveRun } from "./live_run.ts";

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

/** Returns a function that inserts runs in one commit. Those that this runner has room for are its own from the start. */
export function createOwnStarts(
  options: OwnStartsOptions,
): (runs: readonly NewRun[]) => Promise<readonly StartVerdict[]> {
  const { catalog, committer, claims, executor, lease, now } = options;
  // The first body of a run must not see the async context of the code that started the run.
  const inOwnContext = AsyncLocalStorage.snapshot();
  return insert;

  async function insert(runs: readonly NewRun[]): Promise<readonly StartVerdict[]> {
    // Places that the claim in flight may fill are most often free again when it returns. To leave the runs in the store,
    // and others behind them, would cost more than to wait for it.
    while (!claims.isBacklogged && claims.requested > 0 && executor.room < runs.length) {
      await claims.returned();
    }
    const owned = withOwner(runs, placesFor());
    const kept = owned.filter(({ owner }) => owner !== undefined).length;
    executor.reserve(kept);
    try {
      const verdicts = await committer.start(owned);
      inOwnContext(() => owned.forEach((run, at) => settle(run, verdicts[at]!)));
      return verdicts;
    } finally {
      executor.unreserve(kept);
    }
  }

  /** How many runs may be kept: none while others wait in the store, as these come first. */
  function placesFor(): number {
    return options.isStopping() || claims.isBacklogged || !lease.isHeld() ? 0 : executor.room;
  }

  function withOwner(runs: readonly NewRun[], places: number): readonly NewRun[] {
    let left = places;
    return runs.map((run) =>
      left > 0 && run.fork === undefined && run.dueAt <= now() ? (left--, { ...run, owner: lease.runner }) : run
    );
  }

  function settle(run: NewRun, verdict: StartVerdict): void {
    if (verdict.kind !== "started") return;
    if (!verdict.owned) return run.dueAt > now() ? claims.lookAt(run.dueAt) : claims.leftBehind();
    // The lease was lost in the meantime: the run was handed back with all others.
    if (run.owner === undefined || !lease.owns(run.owner)) return;
    const { id, input, timeoutMs, trace } = run;
    const { at, seq } = verdict;
    executor.adopt(
      new LiveRun(catalog.get(run.workflow)!, {
        id,
        input,
        startedAt: at,
        timeoutMs,
        deadlineAt: timeoutMs === undefined ? undefined : at + timeoutMs,
        seq,
        epoch: 1,
        crashes: 0,
        trace,
        attention: 0,
        journal: [],
      }),
    );
  }
}
