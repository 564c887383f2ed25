/**
 * Renews leases during user transactions. A user transaction holds the write lock of the file, so a lease cannot be
 * written until it ends, and no other process can declare the runner dead either. While a transaction of this process
 * holds the lock, a renewal is therefore granted immediately, and the transaction writes it as its last statement,
 * whether the body's work is committed or rolled back: no other process finds the lock free and the lease expired.
 *
 * @module
 */
import type { Renewal } from "../port/runners.ts";
import { readRenewal, RENEW } from "./runners.ts";
import type { Session } from "./session.ts";

/** Grants renewals while a transaction of this process holds the write lock. */
export interface Renewals {
  /** Renews a lease through `write`, or grants the renewal as soon as a transaction of this process holds the lock. */
  renew(runner: number, leaseMs: number, write: () => Promise<Renewal>): Promise<Renewal>;
  /** Must be called when a transaction of this process has taken the write lock. */
  locked(): void;
  /** Writes the granted renewals as the last statements of that transaction; returns whether there were any. */
  write(transaction: Session): boolean;
  /** Must be called when that transaction has ended. */
  unlocked(): void;
}

/** Creates the renewals of a store; `session` reads committed rows. */
export function createRenewals(session: Session): Renewals {
  const waiting = new Set<() => void>();
  const granted = new Map<number, number>();
  let isLocked = false;
  return {
    async renew(runner, leaseMs, write) {
      if (isLocked) return grant(runner, leaseMs);
      const turn = Promise.withResolvers<Renewal>();
      const take = (): void => turn.resolve(grant(runner, leaseMs));
      waiting.add(take);
      const written = write();
      // The write still happens after the transaction has ended; a failure is irrelevant by then.
      written.catch(() => {});
      try {
        return await Promise.race([written, turn.promise]);
      } finally {
        waiting.delete(take);
      }
    },
    locked() {
      isLocked = true;
      for (const take of [...waiting]) take();
    },
    write(transaction) {
      for (const [runner, leaseMs] of granted) transaction.run(RENEW, runner, transaction.now() + leaseMs);
      return granted.size > 0;
    },
    unlocked() {
      isLocked = false;
      granted.clear();
    },
  };

  function grant(runner: number, leaseMs: number): Renewal {
    const renewal = readRenewal(session, runner);
    if (renewal.alive) granted.set(runner, leaseMs);
    return renewal;
  }
}
