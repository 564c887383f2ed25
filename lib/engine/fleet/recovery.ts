/**
 * Recovers the runs of dead runners. There is no leader: every runner looks, and the store takes each dead runner's runs
 * once.
 *
 * A runner is dead if the operating system says so (same host), if its row is gone, or if its lease has expired and
 * nothing excuses that. Excused for a while are a runner whose isolate is known to be alive, for one more lease, and,
 * after this process or its database stood still, every runner, for the time of a renewal: it probably stood still too.
 *
 * Rows of `runners` are read at the store's interval; the liveness of the runners read last is looked up every second,
 * which costs no statement.
 *
 * @module
 */
import { type Clock, idleMsOf, monotonicOf, periodicOf } from "../../clock.ts";
import { RecoveryLimitError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { SMALL_STEP_MS } from "../../store/shared/clock_steps.ts";
import type { Store } from "../../store/port/store.ts";
import type { Recovery, RunnerCard, RunnerRow } from "../../store/port/runners.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import { toErrorRecord } from "../errors/error_record.ts";
import type { Lease } from "./lease.ts";
import { type Liveness, livenessOf } from "./process_liveness.ts";
import { recoveredRuns } from "../commit/recovered_runs.ts";
import type { Standstill } from "./standstill.ts";

/** How often the isolates of known neighbours are checked. */
const WATCH_MS = 1_000;
const SOONEST_MS = 10;
/** By how much the estimate of the store's clock may be wrong. */
const CLOCK_TOLERANCE_MS = 5_000;

/** The recovery of dead runners' runs. */
export interface RecoveryLoop {
  /** Looks for dead runners now, and recovers their runs. */
  recover(): Promise<void>;
  /** Ends the timer. */
  stop(): void;
}

/** What recovery needs of its runner. */
export interface RecoveryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lease: Lease;
  readonly card: RunnerCard;
  readonly leaseMs: number;
  readonly standstill: Standstill;
  /** A run is failed after so many runners died with it. */
  readonly recoveryLimit: number;
  /** Receives the runs that were recovered, and those that were given up. */
  readonly emit: Observer;
}

/** A runner whose lease contradicts what is known otherwise, which decides later. */
interface Excused {
  readonly leaseUntil: number;
  /** By the monotonic clock. */
  readonly until: number;
}

/** Starts to watch the runners of a store. */
export function watchRunners(options: RecoveryOptions): RecoveryLoop {
  const { store, clock, logger, lease, leaseMs, standstill } = options;
  const monotonic = monotonicOf(clock);
  const periodic = periodicOf(clock);
  // Not less often than its own lease: a short lease asks for a short wait for the runs of others.
  const watchMs = Math.min(WATCH_MS, leaseMs);
  const readMs = Math.min(store.recoveryIntervalMs ?? WATCH_MS, leaseMs);
  const excuses = new Map<number, Excused>();
  const implausible = new Map<number, Excused>();
  let known: readonly RunnerRow[] = [];
  let clocks = { store: store.now(), monotonic: monotonic() };
  let readAt = -Infinity;
  let isFirst = true;
  let wasClockSetBack = false;
  let hasRecovered = false;
  let isStopped = false;
  let cancel = () => {};
  schedule();
  return {
    recover,
    stop() {
      isStopped = true;
      cancel();
    },
  };

  function schedule(): void {
    if (isStopped) return;
    const sleptFrom = standstill.moment();
    const ms = nextLookMs(watchMs);
    // Leases that end in the meantime are known only if they were read just now.
    const idleMs = readAt === monotonic() ? nextLookMs(watchMs + idleMsOf(clock)) - ms : 0;
    const look = (): void => {
      standstill.record(standstill.since(sleptFrom) - ms - idleMs);
      void watch().then(schedule);
    };
    // After a recovery something happens: the runs go on.
    cancel = hasRecovered ? clock.after(ms, look) : periodic(ms, idleMs, look);
    hasRecovered = false;
  }

  /** Until the next look at the neighbours: sooner than usual if a lease or an excuse ends before. */
  function nextLookMs(usualMs: number): number {
    const ends = others().map(({ leaseUntil }) => leaseUntil - store.now());
    for (const { until } of excuses.values()) ends.push(until - monotonic());
    const next = Math.min(usualMs, ...ends.filter((ms) => ms > 0));
    return Math.max(SOONEST_MS, Math.ceil(next));
  }

  function others(): readonly RunnerRow[] {
    return known.filter(({ id }) => id !== lease.runner);
  }

  async function watch(): Promise<void> {
    if (monotonic() - readAt < readMs && !others().some(isDue)) return;
    try {
      await recover();
    } catch (error) {
      if (!isStopped) logger.error("Cannot recover the runs of dead runners; retrying", { error: String(error) });
    }
  }

  /** Whether something is known of a neighbour that cannot wait for the next read of its row. */
  function isDue(row: RunnerRow): boolean {
    if (livenessOf(row, options.card) === "dead") return true;
    const excuse = excuses.get(row.id);
    const isExcused = excuse?.leaseUntil === row.leaseUntil && monotonic() < excuse.until;
    return row.leaseUntil <= store.now() && !isExcused;
  }

  /** Records a step of the store's clock: after one forward leases look expired that are not. */
  function recordClockStep(): void {
    const now = { store: store.now(), monotonic: monotonic() };
    const stepMs = now.store - clocks.store - (now.monotonic - clocks.monotonic);
    // Not for longer than anything is excused for: a longer one would hide those that come after it.
    standstill.record(Math.min(leaseMs, stepMs));
    // The store sees also what happens between two looks.
    const wasSetBack = store.clockWasSetBack?.() ?? false;
    wasClockSetBack ||= wasSetBack || stepMs < -SMALL_STEP_MS;
    clocks = now;
  }

  async function recover(): Promise<void> {
    // A runner that is not sure of its own lease does not judge the leases of others.
    if (!lease.isHeld()) await lease.renew();
    const sentAt = standstill.moment();
    readAt = monotonic();
    known = await store.runners();
    standstill.record(standstill.since(sentAt));
    recordClockStep();
    const { dead, excused } = judge(others());
    if (isStopped || !lease.isHeld()) return;
    const expired = others().filter(({ id, leaseUntil }) => leaseUntil <= store.now() && !excused.includes(id));
    // The first pass always runs: runs whose owner has no row any more are found only by the store.
    if (!isFirst && !wasClockSetBack && dead.length + expired.length === 0) return;
    isFirst = false;
    const { recoveryLimit } = options;
    // All others count as alive: the store's clock may be set ahead before it judges them.
    const condemned = [...dead, ...expired.map(({ id }) => id)];
    const alive = known.flatMap(({ id }) => condemned.includes(id) ? [] : [id]);
    for await (const recovery of recoveredRuns(store, logger, { dead, alive, recoveryLimit, wasClockSetBack })) {
      wasClockSetBack = false;
      hasRecovered ||= recovery.released.length + recovery.failed.length > 0;
      report(recovery);
      if (isStopped) return;
    }
  }

  function report({ released, failed }: Recovery): void {
    for (const run of released) options.emit({ type: "runRecovered", run, crashes: run.crashes });
    for (const run of failed) {
      const error = toErrorRecord(new RecoveryLimitError(run.id, run.crashes));
      options.emit({ type: "runGivenUp", run, error });
    }
  }

  /** Sorts runners into those that are dead whatever their lease says, and those that are alive although it expired. */
  function judge(
    rows: readonly RunnerRow[],
  ): { readonly dead: readonly number[]; readonly excused: readonly number[] } {
    const dead: number[] = [];
    const excused: number[] = [];
    for (const row of rows) {
      const liveness = livenessOf(row, options.card);
      if (liveness === "dead" || (liveness !== "alive" && isOverdue(row))) dead.push(row.id);
      else if (row.leaseUntil <= store.now() && isExcused(row, liveness)) excused.push(row.id);
    }
    const ids = new Set(rows.map(({ id }) => id));
    for (const id of excuses.keys()) if (!ids.has(id)) excuses.delete(id);
    for (const id of implausible.keys()) if (!ids.has(id)) implausible.delete(id);
    return { dead, excused };
  }

  /**
   * Whether a lease ends later than any renewal can have set it, as the store's clock was ahead at that time, and was
   * not renewed for as long as it lasts.
   */
  function isOverdue({ id, leaseUntil, leaseMs }: RunnerRow): boolean {
    if (leaseUntil <= store.now() + leaseMs + CLOCK_TOLERANCE_MS) {
      implausible.delete(id);
      return false;
    }
    let seen = implausible.get(id);
    if (seen?.leaseUntil !== leaseUntil) {
      seen = { leaseUntil, until: monotonic() + leaseMs };
      implausible.set(id, seen);
    }
    return monotonic() >= seen.until;
  }

  function isExcused({ id, leaseUntil, leaseMs }: RunnerRow, liveness: Liveness): boolean {
    let excuse = excuses.get(id);
    if (excuse?.leaseUntil !== leaseUntil) {
      // A renewal is due every third of the lease; half of it leaves time for the renewal to arrive.
      const ms = liveness === "alive" ? leaseMs : standstill.isRecent(leaseMs / 3) ? leaseMs / 2 : 0;
      excuse = { leaseUntil, until: monotonic() + ms };
      excuses.set(id, excuse);
    }
    return monotonic() < excuse.until;
  }
}
