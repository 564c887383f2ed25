import { StoreError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { createPauses } from "../../store/shared/pauses.ts";
import type { Store } from "../../store/port/store.ts";
import { retriedCall } from "./retried_call.ts";

/** Commits that are repeated until the store takes them. */
export interface CommitRetry {
  /**
   * Writes a batch. The store refuses a row whose data it cannot hold in its answer, and retries what passes by itself;
   * any other error, known or not, is retried here: it is the fault of no run, so no run may fail because of it.
   *
   * @throws The error of the last try, after `giveUp()` or when the store is closed or its database gone.
   */
  readonly commit: Store["commit"];
  /** Ends all retries, and every commit that is on its way, whatever becomes of it. */
  giveUp(): void;
}

/** Retries the commits of a store; `failed` is called for each try that failed. */
export function retryCommits(store: Store, logger: Logger, failed: () => void): CommitRetry {
  const pauses = createPauses();
  /** Rejects the calls of the store that have not returned. */
  const unanswered = new Set<(error: Error) => void>();
  let isGivenUp = false;
  /** The reasons of the outage that were logged. */
  const reasons = new Set<string>();
  return {
    async commit(batch) {
      const receipt = await retriedCall(
        () => isGivenUp ? Promise.reject(givenUpError()) : orGivenUp(store.commit(batch)),
        {
          pauses,
          failed: report,
          isGivenUp: () => isGivenUp,
        },
      );
      if (reasons.size > 0) recovered();
      return receipt;
    },
    giveUp() {
      isGivenUp = true;
      for (const reject of unanswered) reject(givenUpError());
      pauses.end();
    },
  };

  // Not a race with one promise that lasts: such a promise keeps the result of every race.
  function orGivenUp<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      unanswered.add(reject);
      void answer.then(resolve, reject).finally(() => unanswered.delete(reject));
    });
  }

  /** Logs once for each reason, not for each try. */
  function report(thrown: unknown): void {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    failed();
    if (reasons.has(reason)) return;
    reasons.add(reason);
    logger.error(`Cannot commit to ${store.name}: ${reason}; retrying until it succeeds`);
  }

  function givenUpError(): StoreError {
    return new StoreError("store_closed", `Cannot write to ${store.name}: the runner or client was stopped`);
  }

  function recovered(): void {
    reasons.clear();
    logger.warn(`Commits to ${store.name} succeed again`);
  }
}
