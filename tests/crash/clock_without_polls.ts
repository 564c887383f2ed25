import { SLOW_POLL_MS as CLAIM_POLL_MS } from "../../lib/engine/fleet/claim_loop.ts";
import { POLL_INTERVAL_MS as END_POLL_MS } from "../../lib/engine/client/run_watcher.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";

const POLLS: readonly number[] = [CLAIM_POLL_MS, END_POLL_MS];

/**
 * The machine's clock, except that the engine's polls never come: what still happens between processes was caused by a
 * notification. It replaces a limit on how long that takes, which a slow machine would exceed.
 */
export const clockWithoutPolls: Clock = {
  now: systemClock.now,
  after: (ms, fire, background) => POLLS.includes(ms) ? () => {} : systemClock.after(ms, fire, background),
};
