/**
 * The lease of this runner: its row in `runners`, renewed three times within the lease.
 *
 * The store decides when a lease has expired, by its own clock. The runner must know earlier: it counts by the monotonic
 * clock from the moment at which it sent the last renewal that succeeded, and gives its runs up a sixth of the lease
 * before the store may give them to another runner. The states are:
 *
 * - *held*: bodies start, runs are claimed.
 * - *in doubt*: the deadline has passed while this process stood still (SIGSTOP, a blocked event loop), or the wall
 *   clock says that the machine was suspended. Nothing starts until a renewal confirms that the runs are still owned.
 * - *lost*: no renewal succeeded in time. Bodies are aborted, runs are dropped from memory. Once the store answers
 *   again, the runner hands back what it still owns there, without counting an attempt or a crash, and registers anew
 *   under another id.
 *
 * @module
 */
import { type Clock, idleMsOf, periodicOf } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { Store } from "../../store/port/store.ts";
import { isDatabaseLost } from "../../store/shared/lost.ts";
import type { RunnerCard } from "../../store/port/runners.ts";
import type { Committer } from "../commit/committer.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import type { Executor } from "../execution/executor_options.ts";
import type { Moment, Standstill } from "./standstill.ts";
import type { OwnershipCheck } from "./stray_runs.ts";

/** This runner's lease. */
export interface Lease {
  /** The runner's id; another one after its lease was lost. */
  readonly runner: number;
  /** Whether the lease certainly holds. Only then may a body start or a run be claimed. */
  isHeld(): boolean;
  /** Whether what was claimed or inserted for a runner id is owned by this runner: not after that lease was lost. */
  owns(runner: number): boolean;
  /** Renews the lease now. */
  renew(): Promise<void>;
  /** Reads which of its runs were changed from outside, and applies the changes; returns whether there were any. */
  readInbox(): Promise<boolean>;
  /** Stops renewing, hands back what the runner owns and deletes its row. */
  leave(): Promise<void>;
}

/** What a lease needs of its runner. */
export interface LeaseOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How the runner is registered. */
  readonly card: RunnerCard;
  readonly leaseMs: number;
  readonly standstill: Standstill;
  readonly committer: Pick<Committer, "idle">;
  /** Holds the runs of the runner. */
  readonly executor: Pick<Executor, "abandonAll" | "applyChanges" | "loseAll" | "resume">;
  /** Compares the runs that the runner owns in the store with those in memory. */
  readonly checkOwned: OwnershipCheck<void>;
  /** Receives `leaseLost` and `leaseConfirmed`. */
  readonly emit: Observer;
}

/** Registers a runner. */
export async function takeLease(options: LeaseOptions): Promise<Lease> {
  const { store, clock, logger, leaseMs, standstill, executor, emit } = options;
  const { moment } = standstill;
  const periodic = periodicOf(clock);
  const renewalMs = Math.floor(leaseMs / 3);
  const marginMs = Math.ceil(leaseMs / 6);
  const usableMs = leaseMs - marginMs;
  /** When the last renewal that succeeded was sent. */
  let confirmedAt = moment();
  /** By how much that renewal has extended the lease, as nothing can happen for so long. */
  let idleMs = 0;
  let runner = await store.join(options.card, leaseMs);
  let isOver = false;
  let isLost = false;
  let isInDoubt = false;
  let renewing: Promise<void> | undefined;
  let cancelRenewal = () => {};
  let cancelDeadline = () => {};
  /** When the timer of the deadline was set, and for how long. */
  let deadline = { sleptFrom: moment(), ms: usableMs };
  let warnedAt = -Infinity;
  scheduleRenewal();
  scheduleDeadline();
  return {
    get runner() {
      return runner;
    },
    isHeld,
    owns: (id) => id === runner && !isLost && !isOver,
    renew,
    readInbox,
    async leave() {
      isOver = true;
      cancelRenewal();
      cancelDeadline();
      // It may be about to register under another id.
      await renewing?.catch(() => {});
      await store.leave(runner);
    },
  };

  function isHeld(): boolean {
    if (isLost || isOver) return false;
    if (standstill.since(confirmedAt) < usableMs + idleMs) return true;
    doubt();
    return false;
  }

  function doubt(): void {
    isInDoubt = true;
    void renew();
  }

  function scheduleRenewal(): void {
    if (isOver) return;
    const sleptFrom = moment();
    const idle = idleMs;
    cancelRenewal = periodic(renewalMs, idle, () => {
      standstill.record(standstill.since(sleptFrom) - renewalMs - idle);
      warnIfLate(sleptFrom, renewalMs + idle);
      void renew().then(scheduleRenewal);
    });
  }

  /** Timers that are late for the same reason are reported once. */
  function warnIfLate(sleptFrom: Moment, ms: number): void {
    const now = moment().monotonic;
    const lateMs = Math.round(now - sleptFrom.monotonic - ms);
    if (lateMs <= leaseMs / 3 || now - warnedAt <= lateMs) return;
    warnedAt = now;
    logger.warn(`The event loop was blocked for ${lateMs} ms: the lease of ${leaseMs} ms was at risk`);
  }

  function scheduleDeadline(): void {
    cancelDeadline();
    if (isOver) return;
    const leftMs = Math.max(0, confirmedAt.monotonic + usableMs + idleMs - moment().monotonic);
    const sleptFrom = moment();
    deadline = { sleptFrom, ms: leftMs };
    cancelDeadline = periodic(leftMs, 0, () => {
      warnIfLate(sleptFrom, leftMs);
      // A renewal in flight had no chance while this process stood still: its answer decides, if it comes soon.
      if (moment().monotonic - sleptFrom.monotonic - leftMs > marginMs / 4) {
        doubt();
        cancelDeadline = clock.after(marginMs, lose);
      } else lose();
    });
  }

  function lose(): void {
    if (isLost || isOver) return;
    isLost = true;
    cancelDeadline();
    const ms = Math.round(moment().monotonic - confirmedAt.monotonic);
    logger.warn(`The lease could not be renewed for ${ms} ms: running bodies are aborted and their runs released`);
    dropRuns();
    void renew();
  }

  /** The renewals go on: they succeed if the database comes back. The store has logged why it is gone. */
  function abandon(error: Error): void {
    if (isLost || isOver) return;
    isLost = true;
    cancelDeadline();
    emit({ type: "leaseLost" });
    executor.abandonAll(error);
  }

  function dropRuns(): void {
    emit({ type: "leaseLost" });
    executor.loseAll();
  }

  /** Waits until what the runs had to write is written, but not for long. */
  async function writtenOrLate(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const cancel = clock.after(leaseMs / 3, late.resolve, true);
    await Promise.race([options.committer.idle(), late.promise]);
    cancel();
  }

  // One at a time: two renewals that both find the lease expired would register twice.
  function renew(): Promise<void> {
    return renewing ??= renewUntilConfirmed().catch(report).finally(() => renewing = undefined);
  }

  function report(error: unknown): void {
    if (isDatabaseLost(error)) return abandon(error);
    if (!isOver) logger.error("Cannot renew the lease; retrying", { error: String(error) });
  }

  async function renewUntilConfirmed(): Promise<void> {
    while (!isOver) {
      const sentAt = moment();
      const idle = idleMsOf(clock);
      const check = options.checkOwned();
      const { alive, inbox, owned } = await store.renew(runner, leaseMs + idle);
      standstill.record(standstill.since(sentAt));
      if (isOver) return;
      // The answer may be read before the timer of the deadline fires, which is late in that case.
      if (!isLost) warnIfLate(deadline.sleptFrom, deadline.ms);
      if (!alive || isLost) return await registerAnew(alive);
      confirmedAt = sentAt;
      idleMs = idle;
      scheduleDeadline();
      void executor.applyChanges(inbox);
      check(owned);
      // An answer that took longer than the lease confirms nothing.
      if (standstill.since(sentAt) < usableMs) return confirm();
    }
  }

  function confirm(): void {
    if (!isInDoubt) return;
    isInDoubt = false;
    executor.resume();
    emit({ type: "leaseConfirmed" });
  }

  async function registerAnew(isRegistered: boolean): Promise<void> {
    if (!isLost) {
      isLost = true;
      cancelDeadline();
      dropRuns();
    }
    if (isRegistered) {
      await writtenOrLate();
      await store.leave(runner);
    }
    const sentAt = moment();
    const id = await store.join(options.card, leaseMs);
    logger.warn(`Lease expired; re-registered under a new id: runner ${id}`);
    runner = id;
    isLost = false;
    isInDoubt = true;
    confirmedAt = sentAt;
    idleMs = 0;
    scheduleDeadline();
    if (standstill.since(sentAt) < usableMs) confirm();
  }

  async function readInbox(): Promise<boolean> {
    if (isOver || isLost) return false;
    const id = runner;
    const inbox = await store.inbox(id);
    if (!isOver && id === runner) await executor.applyChanges(inbox);
    return inbox.length > 0;
  }
}
