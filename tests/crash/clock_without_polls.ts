import { SLOW_POLL_MS as CLAIM_POLL_MS } from "../../lib/engine/fleet/claim_loop.ts";
import { POLL_INTERVAL_MS as END_POLL_MS } from "../../lib/engine/client/run_watcher.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";

const POLLS: readonly number[] = [CLAIM_POLL_MS, END_POLL_MS];

/**
 * The machine's clock without the timers of the engine's polls: whatever still happens between processes was caused by
 * a notification. Tests use it instead of a time limit, which a slow machine would exceed.
 */
export const clockWithoutPolls: Clock = {
  now: systemClock.now,
  after: (ms, fire, background) => POLLS.includes(ms) ? () => {} : systemClock.after(ms, fire, background),
};
