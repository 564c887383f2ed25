import type { NewRun } from "../../store/port/batch.ts";
import type { OwnedChild } from "../../store/port/inserted_child.ts";
import type { Catalog } from "../catalog.ts";
import type { ClaimLoop } from "../fleet/claim_loop.ts";
import type { Executor } from "../execution/executor_options.ts";
import type { Lease } from "../fleet/lease.ts";
import type { OwnChildren } from "../runs/spawning.ts";
import { insertedRun } from "../runs/inserted_run.ts";

/** What owning child runs needs of a runner. */
export interface OwnChildrenOptions {
  readonly catalog: Pick<Catalog, "get">;
  readonly claims: Pick<ClaimLoop, "isBacklogged" | "isWanting">;
  readonly executor: Pick<Executor, "room" | "capacity" | "reserve" | "unreserve" | "adopt">;
  readonly lease: Pick<Lease, "runner" | "isHeld" | "owns">;
  readonly isStopping: () => boolean;
}

/** Creates the owner of child runs for a runner. */
export function createOwnChildren(options: OwnChildrenOptions): OwnChildren {
  const { catalog, claims, executor, lease } = options;
  return {
    take(children) {
      // None while others wait in the store, as these come first, nor while others may wait there for a free slot: child
      // runs of a long map would take each slot before the runner can claim another run.
      const isOthersTurn = claims.isBacklogged || (claims.isWanting && executor.capacity <= 0);
      const isTaking = !options.isStopping() && !isOthersTurn && lease.isHeld();
      const room = isTaking ? executor.room : 0;
      const soon = isTaking ? executor.capacity : 0;
      let kept = 0;
      for (const child of children) {
        child.owner = undefined;
        if (kept >= room || child.limits !== undefined) continue;
        if (catalog.get(child.workflow)?.workflow.version !== child.version) continue;
        child.owner = lease.runner;
        child.isShared = kept >= soon;
        kept++;
      }
      executor.reserve(kept);
      return { children, kept };
    },
    settle(spawning, inserted) {
      let left = 0;
      try {
        for (const child of spawning.children) {
          const owned = inserted.get(child.id);
          if (owned === undefined) left++;
          else adopt(child, owned);
        }
      } finally {
        executor.unreserve(spawning.kept);
      }
      return left > 0;
    },
    drop: ({ kept }) => executor.unreserve(kept),
  };

  function adopt(child: NewRun, owned: OwnedChild): void {
    // The lease was lost in the meantime: the run was handed back with all others.
    if (child.owner === undefined || !lease.owns(child.owner)) return;
    executor.adopt(insertedRun(catalog.get(child.workflow)!, child, owned));
  }
}
