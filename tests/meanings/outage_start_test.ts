/** Starts while the database is away: they can be given up, and they do not pile up without bound. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClientStarts } from "../../lib/engine/client/client_starts.ts";
import type { PendingStart } from "../../lib/engine/commit/committer.ts";
import { createStartBounds } from "../../lib/engine/client/start_bounds.ts";
import type { NewRun } from "../../lib/store/port/batch.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { createRunner, QueueFullError, type Store, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { until, within } from "../within.ts";

const flow = workflow("flow", { input: unchecked<string>() }).task("work", { run: () => 1 });

/** A store whose commits wait until it is back, like those of a database that is away. `sent()` counts their starts. */
async function storeAway(): Promise<{ readonly store: Store; away(): void; back(): void; sent(): number }> {
  const store = await openSqliteStore(":memory:", { durability: "process" });
  let sent = 0;
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  return {
    store: {
      ...store,
      async commit(batch) {
        sent += batch.starts.length;
        await gate.promise;
        return await store.commit(batch);
      },
    },
    sent: () => sent,
    away: () => void (gate = Promise.withResolvers()),
    back: () => gate.resolve(),
  };
}

test("a start is given up when its signal aborts, and its run is cancelled if it comes to exist", async () => {
  const database = await storeAway();
  await using runner = await createRunner(database.store, { workflows: [flow], logger: false });
  database.away();
  const abort = new AbortController();
  const started = runner.start(flow, "a", { delay: "1h", signal: abort.signal });
  const executed = runner.execute(flow, "b", { delay: "1h", signal: abort.signal });
  abort.abort(new RangeError("the caller has left"));
  for (const call of [started, executed]) {
    await within("the abort", assertRejects(() => call, RangeError, "the caller has left"));
  }
  database.back();
  const states = async (): Promise<string> => (await runner.list()).runs.map(({ state }) => state).join();
  await until(async () => await states() === "cancelled,cancelled");
  await runner.stop();
  await database.store.close();
});

test("the queue of starts is bounded by runs and by inputs, and has room again when they are sent", async () => {
  const queue: PendingStart[] = [];
  const insert = createClientStarts(
    { start: (start) => void queue.push(start) },
    createStartBounds({ runs: 3, inputs: 10 }),
  );
  const send = (): void => {
    const start = queue.shift()!;
    start.onResult(start.runs.map(({ id }) => ({ kind: "existing", id })), start);
  };
  const run = (input: string): NewRun => ({ id: "x", input }) as NewRun;
  // A single call may be larger than the bounds.
  const first = insert([run("a"), run("b"), run("c"), run("d")]);
  await assertRejects(() => insert([run("e")]), QueueFullError, "4 runs already wait");
  send();
  await first;
  const second = insert([run("0123456789")]);
  const error = await assertRejects(() => insert([run("e")]), QueueFullError);
  assert(error.code === "queue_full");
  send();
  await second;
  const third = insert([run("e")]);
  send();
  assertEquals((await third).length, 1);
  const dropped = insert([run("0123456789")]);
  const start = queue.shift()!;
  start.onDropped(new RangeError("the store was closed"), start);
  await assertRejects(() => dropped, RangeError);
  const last = insert([run("e")]);
  send();
  assertEquals((await last).length, 1);
});

test("a runner refuses starts beyond 100,000 that wait, and takes more when these are sent", async () => {
  const database = await storeAway();
  await using runner = await createRunner(database.store, { workflows: [flow], logger: false });
  database.away();
  const many = runner.startMany(flow, Array.from({ length: 100_000 }, () => "a"), { delay: "1h" });
  await until(() => database.sent() === 100_000, "the starts are sent");
  await assertRejects(() => runner.start(flow, "c"), QueueFullError, "100000 runs already wait");
  database.back();
  assertEquals((await within("the starts", many)).length, 100_000);
  assertEquals((await within("a start", runner.start(flow, "d", { delay: "1h" }))).isNew, true);
  await runner.stop();
  await database.store.close();
});
