import { assertEquals } from "@std/assert";
import type { Clock } from "../../lib/clock.ts";
import { takeLease } from "../../lib/engine/lease.ts";
import { uuidv7 } from "../../lib/ids.ts";
import { silent } from "../../lib/logger.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { test } from "../harness.ts";

const CARD = {
  host: "here",
  pid: 1,
  pidStartedAt: undefined,
  served: [],
  pinned: false,
  concurrency: 1,
  maxRuns: 1,
};

test("a runner that was stopped beyond its lease renews it before it takes over from others", async () => {
  let now = 1_000_000;
  // Its timers never fire: the process was stopped, and what it does first is to look after others.
  const clock: Clock = { now: () => now, after: () => () => {} };
  const store = await openSqliteStore(":memory:", { clock });
  const taken: string[] = [];
  const lease = await takeLease({
    store,
    clock,
    logger: silent,
    card: CARD,
    leaseMs: 30_000,
    recoveryLimit: 5,
    ordered() {},
    lost: () => taken.push("own"),
    recovered: ({ released }) => taken.push(...released.map(({ id }) => id)),
  });
  const other = await store.join({ ...CARD, host: "there" }, 30_000);
  const [mine, theirs] = [lease.runner, other].map((owner) => ({
    ...{ id: uuidv7(now), workflow: "w", version: "v", key: undefined, priority: 0, dueAt: now, tags: [] },
    ...{ input: undefined, timeoutMs: undefined, fork: undefined, owner },
  }));
  await store.commit({ starts: [mine!, theirs!], writes: [], claim: undefined });
  now += 60_000;
  await lease.recover();
  assertEquals(taken, [theirs!.id]);
  assertEquals((await store.run(mine!.id))?.owner, lease.runner);
  await lease.leave();
  await store.close();
});

test("a runner that was taken for dead goes on as one new one, however many ways it hears of it", async () => {
  let now = 1_000_000;
  const timers: (() => void)[] = [];
  const clock: Clock = { now: () => now, after: (_ms, fire) => (timers.push(fire), () => {}) };
  const store = await openSqliteStore(":memory:", { clock });
  // As a server's, its answers take a while.
  const slow: typeof store = {
    ...store,
    async renew(runner, leaseMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return await store.renew(runner, leaseMs);
    },
  };
  let losses = 0;
  const lease = await takeLease({
    ...{ store: slow, clock, logger: silent, card: CARD, leaseMs: 30_000, recoveryLimit: 5, ordered() {} },
    lost: () => losses++,
    recovered() {},
  });
  now += 60_000;
  await store.recover({ dead: [lease.runner], recoveryLimit: 5, limit: 10 });
  for (const fire of timers.splice(0)) fire();
  await Promise.all([lease.recover(), lease.recover()]);
  assertEquals([losses, (await store.runners()).map(({ id }) => id)], [1, [lease.runner]]);
  await lease.leave();
  assertEquals(await store.runners(), []);
  await store.close();
});
