import { assertEquals } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import type { Clock } from "../../lib/clock.ts";
import { type Lease, takeLease } from "../../lib/engine/fleet/lease.ts";
import { type RecoveryLoop, watchRunners } from "../../lib/engine/fleet/recovery.ts";
import { createStandstill } from "../../lib/engine/fleet/standstill.ts";
import { thisIsolate } from "../../lib/engine/fleet/process_liveness.ts";
import { createIds } from "../../lib/ids.ts";
import { silent } from "../../lib/logger.ts";
import type { Store } from "../../lib/store/port/store.ts";
import type { RunnerCard } from "../../lib/store/port/runners.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
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
const LEASE_MS = 30_000;
/** An executor that holds nothing. */
const NO_RUNS = { abandonAll() {}, applyChanges: () => Promise.resolve(), loseAll() {}, resume() {} };

/** A runner's lease and recovery on a store, and what they reported. */
interface Taken {
  readonly lease: Lease;
  readonly recovery: RecoveryLoop;
  /** `lost`, `confirmed`, and the ids of recovered runs, in order. */
  readonly log: string[];
  end(): Promise<void>;
}

async function take(
  store: Store,
  clock: Clock,
  { card = CARD, written = () => Promise.resolve() }: { card?: RunnerCard; written?: () => Promise<void> } = {},
): Promise<Taken> {
  const log: string[] = [];
  const standstill = createStandstill(clock);
  const common = { store, clock, logger: silent, card, leaseMs: LEASE_MS, standstill };
  const lease = await takeLease({
    ...common,
    committer: { idle: written },
    executor: { ...NO_RUNS, loseAll: () => void log.push("lost"), resume: () => void log.push("confirmed") },
    checkOwned: () => () => {},
    emit() {},
  });
  const recovery = watchRunners({
    ...common,
    lease,
    recoveryLimit: 5,
    emit: (event) => event.type === "runRecovered" && log.push(event.run.id),
  });
  return {
    lease,
    recovery,
    log,
    async end() {
      recovery.stop();
      await lease.leave();
      await store.close();
    },
  };
}

const newId = createIds();

/** Inserts a run that a runner owns. */
async function ownedRun(store: Store, owner: number): Promise<string> {
  const id = newId(store.now());
  const run = { id, workflow: "w", version: "v", key: undefined, priority: 0, dueAt: store.now(), tags: [] };
  const rest = { input: undefined, timeoutMs: undefined, fork: undefined, owner };
  await store.commit({ starts: [{ ...run, ...rest }], writes: [] });
  return id;
}

/** A clock whose timers fire only when a test fires them. */
function stoppedClock() {
  let now = 1_000_000;
  const timers: (() => void)[] = [];
  const clock: Clock = { now: () => now, after: (_ms, fire) => (timers.push(fire), () => {}) };
  return { clock, timers, pass: (ms: number) => void (now += ms) };
}

/** A store whose renewals can be held back, as by a database that is away. */
function heldStore(store: Store): { readonly store: Store; hold(): void; release(): void } {
  let held: PromiseWithResolvers<void> | undefined;
  return {
    store: {
      ...store,
      async renew(...args) {
        await held?.promise;
        return await store.renew(...args);
      },
    },
    hold: () => void (held = Promise.withResolvers()),
    release: () => (held?.resolve(), held = undefined),
  };
}

test("a runner whose process was stopped beyond its lease renews it before it recovers the runs of others", async () => {
  const { clock, pass } = stoppedClock();
  const store = await openSqliteStore(":memory:", { clock });
  const { lease, recovery, log, end } = await take(store, clock);
  const other = await store.join({ ...CARD, host: "there" }, LEASE_MS);
  const [mine, theirs] = [await ownedRun(store, lease.runner), await ownedRun(store, other)];
  pass(60_000);
  await recovery.recover();
  assertEquals(log, ["confirmed", theirs]);
  assertEquals((await store.run(mine))?.owner, lease.runner);
  await end();
});

test("a runner whose row is gone registers once, however many renewals find that out", async () => {
  const { clock, pass, timers } = stoppedClock();
  const inner = await openSqliteStore(":memory:", { clock });
  // The responses of a server take a while.
  const store: Store = {
    ...inner,
    async renew(runner, leaseMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return await inner.renew(runner, leaseMs);
    },
  };
  const { lease, recovery, log, end } = await take(store, clock);
  pass(60_000);
  await store.recover({ dead: [lease.runner], recoveryLimit: 5, limit: 10 });
  for (const fire of timers.splice(0)) fire();
  await Promise.all([recovery.recover(), recovery.recover()]);
  assertEquals([log, (await store.runners()).map(({ id }) => id)], [["lost", "confirmed"], [lease.runner]]);
  await end();
});

test("a lease that cannot be renewed is lost before the store may give its runs away", async () => {
  const clock = createFakeClock();
  const held = heldStore(await openSqliteStore(":memory:", { clock }));
  const { lease, log, end } = await take(held.store, clock);
  const { leaseUntil } = (await held.store.runners())[0]!;
  held.hold();
  await clock.advance(24_999);
  assertEquals([lease.isHeld(), log], [true, []]);
  await clock.advance(1);
  assertEquals([lease.isHeld(), log], [false, ["lost"]]);
  assertEquals(leaseUntil - clock.now(), LEASE_MS / 6);
  held.release();
  await clock.settle();
  await end();
});

test("the lease counts from when the last successful renewal was sent, not from its answer", async () => {
  const clock = createFakeClock();
  const held = heldStore(await openSqliteStore(":memory:", { clock }));
  const { lease, log, end } = await take(held.store, clock);
  held.hold();
  await clock.advance("10s"); // the renewal is sent
  await clock.advance("8s");
  held.release();
  await clock.settle();
  held.hold();
  await clock.advance(16_999); // 34,999 ms from the start, 24,999 from the sending
  assertEquals([lease.isHeld(), log], [true, []]);
  await clock.advance(1);
  assertEquals([lease.isHeld(), log], [false, ["lost"]]);
  held.release();
  await clock.settle();
  await end();
});

test("a runner that lost its lease hands its runs back, without counting a crash, and continues under another id", async () => {
  const clock = createFakeClock();
  const held = heldStore(await openSqliteStore(":memory:", { clock }));
  const order: string[] = [];
  const { lease, log, end } = await take(held.store, clock, {
    written() {
      order.push("written");
      return Promise.resolve();
    },
  });
  const before = lease.runner;
  const id = await ownedRun(held.store, before);
  held.hold();
  await clock.advance("5m");
  assertEquals([log, lease.owns(before), order], [["lost"], false, []]);
  held.release();
  await clock.settle();
  const run = await held.store.run(id);
  assertEquals([run?.state, run?.owner, run?.crashes, run?.epoch], ["pending", undefined, 0, 1]);
  assertEquals([log, lease.isHeld(), lease.owns(before), order], [["lost", "confirmed"], true, false, ["written"]]);
  assertEquals((await held.store.runners()).map((row) => row.id), [lease.runner]);
  await end();
});

test("while the wall clock says that the machine was suspended, nothing starts until a renewal confirms the lease", async () => {
  let wall = 1_000_000;
  const clock: Clock = { now: () => wall, monotonic: () => 5, after: () => () => {} };
  const store = await openSqliteStore(":memory:", { clock });
  const { lease, log, end } = await take(store, clock);
  wall += 3_600_000;
  assertEquals([lease.isHeld(), log], [false, []]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([lease.isHeld(), log], [true, ["confirmed"]]);
  await end();
});

test("a wall clock that is set does not count as a blocked event loop", async () => {
  let wall = 1_000_000;
  let elapsed = 0;
  const timers: (() => void)[] = [];
  const clock: Clock = {
    now: () => wall,
    monotonic: () => elapsed,
    after: (_ms, fire) => (timers.push(fire), () => {}),
  };
  const lines: string[] = [];
  const store = await openSqliteStore(":memory:", { clock });
  const lease = await takeLease({
    ...{ store, clock, card: CARD, leaseMs: LEASE_MS, standstill: createStandstill(clock) },
    logger: { ...silent, warn: (line) => void lines.push(line) },
    ...{ committer: { idle: () => Promise.resolve() }, executor: NO_RUNS, checkOwned: () => () => {}, emit() {} },
  });
  [wall, elapsed] = [wall + 3_600_000, 10_000];
  timers[0]!();
  assertEquals(lines, []);
  [wall, elapsed] = [wall - 7_200_000, elapsed + 21_000];
  timers.at(-1)!();
  assertEquals(lines, []);
  await lease.leave();
  await store.close();
});

test("after this process was suspended a neighbour has time to renew its lease, and no more than that", async () => {
  for (const isAlive of [true, false]) {
    const { clock, pass, timers } = stoppedClock();
    const store = await openSqliteStore(":memory:", { clock });
    const { recovery, log, end } = await take(store, clock);
    const neighbour = await store.join({ ...CARD, host: "there" }, LEASE_MS);
    const run = await ownedRun(store, neighbour);
    pass(3_600_000); // the machine sleeps for an hour
    timers.at(-1)!(); // and the first thing that happens is the look at the neighbours
    await new Promise((resolve) => setTimeout(resolve, 5));
    pass(14_999);
    await recovery.recover();
    assertEquals(log, ["confirmed"]);
    if (isAlive) await store.renew(neighbour, LEASE_MS);
    pass(1);
    await recovery.recover();
    assertEquals(log, isAlive ? ["confirmed"] : ["confirmed", run]);
    await end();
  }
});

test("after an outage of the database a neighbour has time to renew its lease", async () => {
  const clock = createFakeClock();
  const held = heldStore(await openSqliteStore(":memory:", { clock }));
  const { recovery, log, lease, end } = await take(held.store, clock);
  const neighbour = await held.store.join({ ...CARD, host: "there" }, LEASE_MS);
  await ownedRun(held.store, neighbour);
  held.hold();
  await clock.advance("54s");
  held.release();
  await clock.settle();
  assertEquals([log, lease.isHeld()], [["lost", "confirmed"], true]);
  await recovery.recover();
  await held.store.renew(neighbour, LEASE_MS);
  await clock.advance("20s");
  assertEquals(log, ["lost", "confirmed"]);
  await end();
});

test("a neighbour that is known to be alive keeps its runs for one more lease", async () => {
  const { clock, pass } = stoppedClock();
  const store = await openSqliteStore(":memory:", { clock });
  const self = { ...CARD, ...thisIsolate() };
  const { recovery, log, lease, end } = await take(store, clock, { card: self });
  const parent = { ...self, pid: process.ppid, pidStartedAt: startedAt(process.ppid) };
  const run = await ownedRun(store, await store.join(parent, LEASE_MS));
  const last = await ownedRun(store, await store.join({ ...self, host: "there" }, LEASE_MS));
  for (const seconds of [20, 20]) {
    pass(seconds * 1_000);
    await lease.renew();
  }
  await recovery.recover();
  if (parent.pidStartedAt === undefined) return await end();
  assertEquals(log, [last]);
  pass(29_999);
  await lease.renew();
  await recovery.recover();
  assertEquals(log, [last]);
  pass(1);
  await recovery.recover();
  assertEquals(log, [last, run]);
  await end();
});

test("a clock that is set ahead between the look at the leases and the recovery costs no runner its runs", async () => {
  const { clock: still, pass } = stoppedClock();
  let offsetMs = 0;
  const clock: Clock = { ...still, now: () => still.now() + offsetMs, monotonic: still.now };
  const inner = await openSqliteStore(":memory:", { clock });
  const store: Store = {
    ...inner,
    recover(request) {
      offsetMs = 3_600_000;
      return inner.recover(request);
    },
  };
  const { lease, recovery, log, end } = await take(store, clock);
  const dead = await ownedRun(store, await store.join({ ...CARD, host: "there" }, LEASE_MS));
  pass(20_000);
  await lease.renew();
  const neighbour = await store.join({ ...CARD, host: "elsewhere" }, LEASE_MS);
  const kept = await ownedRun(store, neighbour);
  pass(15_000);
  await recovery.recover();
  assertEquals(log, [dead]);
  assertEquals([(await store.run(kept))?.owner, (await store.renew(neighbour, LEASE_MS)).alive], [neighbour, true]);
  await end();
});

test("a runner of which only the clock of the server is set ahead takes neither itself nor a neighbour for dead", async () => {
  const { clock: still } = stoppedClock();
  let offsetMs = 0;
  const clock: Clock = { ...still, now: () => still.now() + offsetMs, monotonic: still.now };
  const store = await openSqliteStore(":memory:", { clock });
  const { lease, recovery, log, end } = await take(store, still);
  const neighbour = await store.join({ ...CARD, host: "elsewhere" }, LEASE_MS);
  const runs = [await ownedRun(store, lease.runner), await ownedRun(store, neighbour)];
  offsetMs = 3_600_000;
  await recovery.recover();
  assertEquals(log, []);
  assertEquals(await Promise.all(runs.map(async (id) => (await store.run(id))?.owner)), [lease.runner, neighbour]);
  await end();
});

function startedAt(pid: number): string | undefined {
  if (!existsSync("/proc/self/stat")) return undefined;
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[19];
}
