/**
 * Renewals of leases beside users' transactions. A transaction of a user holds the write lock of the file, so the lease
 * cannot be written until it ends; nor can another process write that the lease has expired. A renewal is therefore
 * granted at once while a transaction of this process holds the lock, and the transaction writes it as its last
 * statement, committed or rolled back: no other process finds the lock free and the lease expired.
 *
 * @module
 */
import type { Renewal } from "../port.ts";
import { readRenewal, RENEW } from "./runners.ts";
import type { Session } from "./session.ts";

/** Grants renewals while a transaction of this process holds the write lock. */
export interface Renewals {
  /** Renews a lease by `write`, or grants the renewal as soon as a transaction of this process holds the lock. */
  renew(runner: number, leaseMs: number, write: () => Promise<Renewal>): Promise<Renewal>;
  /** A transaction of this process has taken the write lock. */
  locked(): void;
  /** Writes what was granted, as the last statement of that transaction; returns whether there was anything. */
  write(transaction: Session): boolean;
  /** The transaction has ended. */
  unlocked(): void;
}

/** Renewals of a store; `session` reads what is committed. */
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
      // It is written all the same once the transaction has ended; then its failure concerns nothing.
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
