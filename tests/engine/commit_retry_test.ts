/** Commits that are repeated, and what is kept of them. */
import { assertEquals } from "@std/assert";
import { setImmediate } from "node:timers/promises";
import type { Receipt } from "../../lib/store/port/batch.ts";
import { silent } from "../../lib/logger.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { retryCommits } from "../../lib/engine/commit/commit_retry.ts";
import { collector } from "../garbage.ts";
import { test } from "../harness.ts";

const EMPTY = { starts: [], writes: [] };

test("the receipt of a commit can be collected once its caller has dropped it", async () => {
  const receipts: WeakRef<Receipt>[] = [];
  const store = {
    name: "a store",
    commit(): Promise<Receipt> {
      const receipt = { starts: [], writes: [] };
      receipts.push(new WeakRef(receipt));
      return Promise.resolve(receipt);
    },
  };
  const retry = retryCommits(store as unknown as Store, silent, () => {});
  for (let commits = 0; commits < 100; commits++) await retry.commit(EMPTY);
  // The last few receipts may still be on the stack.
  const collect = collector();
  for (let tries = 0; tries < 10 && alive() > 10; tries++) {
    // A result is cached until the end of the turn.
    await setImmediate();
    collect();
  }
  assertEquals(alive() <= 10, true, `${alive()} of 100 receipts are kept`);

  function alive(): number {
    return receipts.filter((receipt) => receipt.deref() !== undefined).length;
  }
});

test("giving up ends commits that the store does not answer, and those that follow", async () => {
  const store = { name: "a store", commit: () => new Promise<Receipt>(() => {}) };
  const retry = retryCommits(store as unknown as Store, silent, () => {});
  const unanswered = Promise.allSettled([retry.commit(EMPTY), retry.commit(EMPTY)]);
  retry.giveUp();
  const ends = [...await unanswered, ...await Promise.allSettled([retry.commit(EMPTY)])];
  assertEquals(ends.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
});
