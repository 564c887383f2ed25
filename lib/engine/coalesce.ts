import { setImmediate } from "node:timers";

/**
 * Returns a function that calls `work` in the next turn of the event loop: once for all calls before that, and once more for
 * all calls while it is in progress. `work` must not throw.
 */
export function coalesce(work: () => Promise<void>): () => void {
  let isScheduled = false;
  let isAgain = false;
  return request;

  function request(): void {
    isAgain = isScheduled;
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(run);
  }

  async function run(): Promise<void> {
    await work();
    isScheduled = false;
    if (isAgain) request();
  }
}
