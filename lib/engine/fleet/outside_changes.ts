import type { Logger } from "../../logger.ts";
import type { Change } from "../../store/port/store.ts";
import type { ClaimLoop } from "./claim_loop.ts";
import type { Lease } from "./lease.ts";
import type { Permits } from "../limits/permits.ts";

/** What the changes of others need of a runner. */
export interface OutsideChangesOptions {
  readonly claims: Pick<ClaimLoop, "look">;
  readonly lease: Pick<Lease, "runner" | "readInbox">;
  readonly logger: Logger;
  readonly permits: Pick<Permits, "look" | "recheck">;
  readonly isStopping: () => boolean;
  /** Called if a change was found. */
  readonly useful: () => void;
}

/** Applies what was changed past the committer of a runner, by its process or another. */
export interface OutsideChanges {
  /** Something was changed. */
  changed(change: Change): Promise<void>;
  /** Whether runs that the runner owns may have been changed. */
  concernsOwn(change: Change): boolean;
}

/** Creates the application of changes. */
export function createOutsideChanges(options: OutsideChangesOptions): OutsideChanges {
  const { claims, lease, logger, permits } = options;
  return { changed, concernsOwn };

  function concernsOwn({ attention }: Change): boolean {
    return attention === undefined || attention.includes(lease.runner);
  }

  async function changed(change: Change): Promise<void> {
    permits.look();
    if (change.due) claims.look();
    // Also while nothing is in memory: a claim may be in flight.
    if (!concernsOwn(change)) return;
    permits.recheck();
    try {
      if (await lease.readInbox()) options.useful();
      // A run that was released in the meantime is in no inbox any more: its change has made it due.
      claims.look();
    } catch (error) {
      // The store was closed in the meantime.
      if (options.isStopping()) return;
      logger.error("Cannot read external changes of runs; retrying with the next renewal of the lease", {
        error: String(error),
      });
    }
  }
}
