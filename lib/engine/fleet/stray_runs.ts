import type { Logger } from "../../logger.ts";
import type { OwnedRun } from "../../store/port/runners.ts";
import type { Committer } from "../commit/committer.ts";

/** Called before the store reads which runs this runner owns; the result is called with these. */
export type OwnershipCheck<T> = () => (owned: readonly OwnedRun[]) => T;

/** What the check needs of its runner. */
export interface StrayRunsOptions {
  readonly committer: Committer;
  readonly logger: Logger;
  /** Drops runs that are not owned any more; returns those that are owned and not in memory. */
  readonly check: OwnershipCheck<readonly OwnedRun[]>;
  /** Whether no run is on its way into memory. */
  readonly isAtRest: () => boolean;
}

/**
 * Hands back runs that this runner owns in the store and does not hold in memory, so that they are claimed again. Such a
 * run was dropped from memory while the store could not be reached. A run that is on its way into memory or out of it
 * looks the same for a moment, so it is handed back only when two renewals find it while nothing is on its way.
 */
export function createStrayRuns({ committer, logger, check, isAtRest }: StrayRunsOptions): OwnershipCheck<void> {
  let suspects = new Map<number, number>();
  return () => {
    const [finish, wasAtRest] = [check(), isAtRest()];
    return (owned) => {
      const strays = finish(owned);
      handBack(wasAtRest && isAtRest() ? strays : []);
    };
  };

  function handBack(strays: readonly OwnedRun[]): void {
    for (const { seq, epoch } of strays) {
      if (suspects.get(seq) !== epoch) continue;
      logger.warn("A run that this runner owns is not in its memory: it is released", { seq });
      const write = { seq, epoch, move: { to: "pending" }, isSent: false } as const;
      committer.write({ ...write, records: [], onResult() {}, onDropped() {} });
    }
    suspects = new Map(strays.map(({ seq, epoch }) => [seq, epoch]));
  }
}
