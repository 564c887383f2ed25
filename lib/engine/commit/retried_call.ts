import { isDatabaseLost } from "../../store/shared/lost.ts";
import { jittered, type Pauses } from "../../store/shared/pauses.ts";
import { isStoreClosed } from "../errors/failed_call.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;

/** What a call of the store that is retried needs. */
export interface RetriedCallOptions {
  readonly pauses: Pauses;
  /** Called for each try that failed and is followed by another. */
  readonly failed: (error: unknown) => void;
  /** Whether no other try follows. @default {never} */
  readonly isGivenUp?: () => boolean;
}

/**
 * Calls the store until it succeeds, with growing pauses. The store retries transient errors by itself; any other error,
 * known or not, is retried here.
 *
 * @throws The error of the last try, if the store is closed, its database is gone, or the call is given up.
 */
export async function retriedCall<T>(
  call: () => Promise<T>,
  { pauses, failed, isGivenUp = () => false }: RetriedCallOptions,
): Promise<T> {
  for (let ms = FIRST_PAUSE_MS;; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      if (isGivenUp() || isStoreClosed(error) || isDatabaseLost(error)) throw error;
      failed(error);
      await pauses.pause(jittered(ms));
    }
  }
}
