/**
 * A runner's sign of life, and what it does about those who give none.
 *
 * One row for each runner is renewed three times within its lease. A runner whose row is gone was taken for dead: its
 * runs are another's by now, and it goes on as a new one. Those whose lease is over, or whose process this host knows
 * to be dead, lose their runs to whoever looks first; there is no leader.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Recovery, RunnerCard, RunnerRow, StandingOrder, Store } from "../store/port.ts";
import { isDeadNeighbour } from "./host.ts";

/** How often a runner looks for dead ones, if the store says nothing else. */
const WATCH_MS = 1_000;
/** Runs taken from dead runners in one transaction. */
const RECOVER_AT_ONCE = 500;

/** A runner's place among the others. */
export interface Lease {
  /** Its number; another one after it was taken for dead. */
  readonly runner: number;
  /** Looks for standing orders now. */
  checkOrders(): Promise<void>;
  /** Takes over from dead runners now. */
  recover(): Promise<void>;
  /** Ends its timers and gives the row back. */
  leave(): Promise<void>;
}

/** What a lease needs of its runner. */
export interface LeaseOptions {
  /** Where runners are known. */
  readonly store: Store;
  /** Timers run on it. */
  readonly clock: Clock;
  /** Where messages go. */
  readonly logger: Logger;
  /** What the runner tells of itself. */
  readonly card: RunnerCard;
  /** How long it is believed alive. */
  readonly leaseMs: number;
  /** A run is given up after so many runners died with it. */
  readonly recoveryLimit: number;
  /** Orders that stand for its runs. */
  readonly ordered: (orders: readonly StandingOrder[]) => void;
  /** Its runs are no longer its own. */
  readonly lost: () => void;
  /** Runs of dead runners can be claimed, or were given up. */
  readonly recovered: (recovery: Recovery) => void;
}

/** Joins the runners of a store. */
export async function takeLease(options: LeaseOptions): Promise<Lease> {
  const { store, clock, logger, leaseMs } = options;
  let runner = await store.join(options.card, leaseMs);
  let isOver = false;
  let isFirstLook = true;
  let renewAt = 0;
  let renewing: Promise<void> | undefined;
  let cancelRenewal = () => {};
  let cancelWatch = () => {};
  scheduleRenewal();
  scheduleWatch();
  return {
    get runner() {
      return runner;
    },
    checkOrders,
    recover,
    async leave() {
      isOver = true;
      cancelRenewal();
      cancelWatch();
      // It may be about to get another number.
      await renewing?.catch(() => {});
      await store.leave(runner);
    },
  };

  function scheduleRenewal(): void {
    if (isOver) return;
    const ms = Math.floor(leaseMs / 3);
    renewAt = clock.now() + ms;
    cancelRenewal = clock.after(ms, renew);
  }

  function scheduleWatch(): void {
    // Not rarer than its own lease: who asks for a short one wants to wait as shortly for the others'.
    if (!isOver) cancelWatch = clock.after(Math.min(store.patrolMs ?? WATCH_MS, leaseMs), watchOnce);
  }

  async function renew(): Promise<void> {
    const lateMs = clock.now() - renewAt;
    if (lateMs > leaseMs / 3) {
      logger.warn(`The event loop was blocked for ${lateMs} ms: the lease of ${leaseMs} ms was at risk`);
    }
    try {
      await renewNow();
    } catch (error) {
      if (!isOver) logger.error("Cannot renew the lease; trying again", { error: String(error) });
    }
    scheduleRenewal();
  }

  // One at a time: two that find out together that it was taken for dead would join twice.
  function renewNow(): Promise<void> {
    return renewing ??= renewOnce().finally(() => renewing = undefined);
  }

  async function renewOnce(): Promise<void> {
    const { alive, orders } = await store.renew(runner, leaseMs);
    if (isOver) return;
    if (alive) options.ordered(orders);
    else await rejoin();
  }

  async function rejoin(): Promise<void> {
    logger.warn("This runner was taken for dead and goes on as a new one");
    // First the new number, so that nothing is inserted under the old one in between.
    runner = await store.join(options.card, leaseMs);
    options.lost();
  }

  async function checkOrders(): Promise<void> {
    if (isOver) return;
    const orders = await store.orders(runner);
    if (!isOver) options.ordered(orders);
  }

  async function watchOnce(): Promise<void> {
    try {
      await recover();
    } catch (error) {
      if (!isOver) logger.error("Cannot look after dead runners; trying again", { error: String(error) });
    }
    scheduleWatch();
  }

  async function recover(): Promise<void> {
    const all = await store.runners();
    // One that was stopped for long must not begin by taking its own runs for a dead runner's.
    if (!all.some(({ id, leaseUntil }) => id === runner && leaseUntil > store.now())) await renewNow();
    const others = all.filter(({ id }) => id !== runner);
    const lost = others.filter(isLost);
    if (isOver || (lost.length === 0 && !isFirstLook)) return;
    // Whose lease was over a moment ago may have renewed it since: of those the store makes sure, all in one transaction.
    const dead = lost.flatMap((row) => isDeadNeighbour(row, options.card) ? [row.id] : []);
    // Once without a reason: runs may have been left by a runner whose row is gone.
    isFirstLook = false;
    const limit = { recoveryLimit: options.recoveryLimit, limit: RECOVER_AT_ONCE };
    for (let more = true; more && !isOver;) {
      const recovery = await store.recover({ dead, ...limit });
      more = recovery.more;
      const count = recovery.released.length + recovery.failed.length;
      if (count > 0) logger.warn(`${count} runs of ${lost.length} dead runners were taken over`);
      options.recovered(recovery);
    }
  }

  function isLost(row: RunnerRow): boolean {
    return row.leaseUntil <= store.now() || isDeadNeighbour(row, options.card);
  }
}
