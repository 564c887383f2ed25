/** What time in which nothing happens costs by a clock that is moved by hand, and that nothing is missed in it. */
import { assertEquals } from "@std/assert";
import { createIds } from "../../lib/ids.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
import { type AnyWorkflow, type Client, createClient, createRunner, type Runner, type Store } from "../../mod.ts";
import { unchecked, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace, type Place } from "../place.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** In the 20 s before the end: ten claims, two renewals and their reads, and the checks of other runners. */
const IDLE_STATEMENTS = 22;

const nap = workflow("nap", { input: unchecked<number>() })
  .sleep("wait", { for: ({ input }) => input })
  .task("wake", { after: ["wait"], run: () => "awake" });

const orphan = workflow("orphan").task("go", { version: "1", run: () => "recovered" });

const other = workflow("other").task("go", { run: () => {} });

test("an idle day costs 22 statements, and so does an idle month", async () => {
  await using site = await openSite("memory");
  await site.runner([other]);
  await site.clock.advance("1m");
  const costs = [];
  for (const days of [1, 7, 30]) costs.push(await statementsOf(site, () => site.clock.advance(days * DAY)));
  assertEquals(costs, [IDLE_STATEMENTS, IDLE_STATEMENTS, IDLE_STATEMENTS]);
});

test("a sleep of a month costs as many statements as one of an hour", async () => {
  await using site = await openSite("memory");
  const runner = await site.runner([nap]);
  const costs = [];
  for (const ms of [HOUR, 30 * DAY]) {
    const run = await runner.start(nap, ms);
    await site.clock.advance("1m");
    costs.push(await statementsOf(site, () => site.clock.until(run.result(), "31d")));
  }
  assertEquals(costs[0], costs[1]);
});

test("however far the time is moved at once, each task runs at its time, and a dead runner is noticed at its own", async () => {
  await using site = await openSite("memory");
  const flaky = workflow("flaky").task("call", {
    retry: { attempts: 3, delay: "1h", maxDelay: "1d", jitter: false },
    run({ ctx }) {
      if (ctx.attempt < 3) throw new Error("not yet");
    },
  });
  const slow = workflow("slow")
    .task("first", { run: () => {} })
    .sleep("pause", { after: ["first"], for: "1d" })
    .task("second", { after: ["pause"], run: () => {} });
  const runner = await site.runner([nap, flaky, slow, orphan]);
  await leaveRun(site.store);
  await runner.start(nap, 5 * HOUR);
  await runner.start(flaky);
  await runner.start(slow, undefined, { delay: "2d" });
  await site.clock.advance("10d");
  assertEquals(site.tasks, [
    [0, "nap.wait"],
    [0, "flaky.call"],
    // When the lease of the dead runner has expired.
    [30_000, "orphan.go"],
    [HOUR, "flaky.call"],
    [3 * HOUR, "flaky.call"],
    [5 * HOUR, "nap.wake"],
    [2 * DAY, "slow.first"],
    [2 * DAY, "slow.pause"],
    [3 * DAY, "slow.second"],
  ]);
});

test("runners and clients with connections of their own learn from each other while the time is moved at once", async () => {
  await using site = await openSite("shared");
  await using elsewhere = await openSite("shared", site);
  const client = await elsewhere.client([nap, orphan]);
  await elsewhere.runner([other]);
  await site.runner([nap, orphan]);
  const runs = [await client.start(nap, 5 * HOUR), client.get(await leaveRun(site.store))];
  const results: unknown[] = [];
  for (const run of runs) void run.result().then((result) => results.push(result));
  await site.clock.advance("1d");
  assertEquals(results, [{ go: "recovered" }, { wake: "awake" }]);
});

test("a runner that was idle for a month is still alive, and is recovered soon if it dies then", async () => {
  await using site = await openSite("memory");
  await site.runner([other]);
  const mute = muteStore(site.store);
  await site.runner([other], mute.store);
  await site.clock.advance("30d");
  assertEquals([(await site.store.runners()).length, site.warnings], [2, []]);
  mute.isMute = true;
  // The rest of its lease, and as long again because its process is alive.
  await site.clock.advance("61s");
  assertEquals((await site.store.runners()).length, 1);
  mute.isMute = false;
});

/** A store on a clock that is moved by hand. */
interface Site extends AsyncDisposable {
  readonly place: Place;
  readonly store: Store;
  readonly clock: FakeClock;
  /** The tasks that have begun, and when, in milliseconds since the site was opened. */
  readonly tasks: readonly (readonly [number, string])[];
  readonly warnings: readonly string[];
  runner<const W extends AnyWorkflow>(workflows: readonly W[], store?: Store): Promise<Runner<W>>;
  client<const W extends AnyWorkflow>(workflows: readonly W[]): Promise<Client<W>>;
}

/** Opens an empty store, or that of another site once more. */
async function openSite(kind: "memory" | "shared", beside?: Site): Promise<Site> {
  const own = beside === undefined ? emptyStore(kind) : undefined;
  const place = beside?.place ?? own!;
  const clock = beside?.clock ?? createFakeClock();
  const began = clock.now();
  const store = await openPlace(place, { clock });
  const tasks: (readonly [number, string])[] = [];
  const warnings: string[] = [];
  const logger = { debug() {}, info() {}, warn: (line: string) => void warnings.push(line), error() {} };
  const stops: (() => Promise<void>)[] = [];
  return {
    place,
    store,
    clock,
    tasks,
    warnings,
    async runner(workflows, at = store) {
      const runner = await createRunner(at, {
        ...{ workflows, clock, logger },
        onEvent(event) {
          if (event.type === "task.started") tasks.push([clock.now() - began, `${event.workflow}.${event.taskId}`]);
        },
      });
      stops.unshift(() => runner.stop());
      return runner;
    },
    async client(workflows) {
      const client = await createClient(store, { workflows, clock });
      stops.unshift(() => client.stop());
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await clock.until(stop());
      await store.close();
      await own?.[Symbol.asyncDispose]();
    },
  };
}

async function statementsOf({ store }: Site, pass: () => Promise<unknown>): Promise<number> {
  const before = store.counters().statements;
  await pass();
  return store.counters().statements - before;
}

/** Inserts a run whose runner, on another host, dies at once. */
async function leaveRun(store: Store): Promise<string> {
  const host = { host: "elsewhere", pid: 1, pidStartedAt: undefined };
  const owner = await store.join({ ...host, served: [], pinned: false, concurrency: 1, maxRuns: 1 }, 30_000);
  const id = createIds()(store.now());
  const run = { id, workflow: "orphan", version: orphan.version, key: undefined, priority: 0, dueAt: store.now() };
  const rest = { tags: [], input: undefined, timeoutMs: undefined, fork: undefined, owner };
  await store.commit({ starts: [{ ...run, ...rest }], writes: [] });
  return id;
}

/** A store that the renewals and reads of a dead runner do not reach. */
function muteStore(inner: Store) {
  const mute = { isMute: false, store: inner };
  const reach = <T>(call: () => Promise<T>): Promise<T> =>
    mute.isMute ? Promise.reject(new Error("it is dead")) : call();
  mute.store = {
    ...inner,
    renew: (...args) => reach(() => inner.renew(...args)),
    runners: () => reach(() => inner.runners()),
  };
  return mute;
}
