/** What waiting for the end of a run reads from the store. */
import { assertEquals } from "@std/assert";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { createRunner, workflow } from "../../mod.ts";
import { test } from "../harness.ts";

test("waiting for a run in memory reads nothing, whether it ends or is released", async () => {
  const store = await openSqliteStore(":memory:", { durability: "process" });
  let reads = 0;
  const counting = { ...store, run: (id: string) => (reads++, store.run(id)) };
  const gate = Promise.withResolvers<number>();
  const gated = workflow("gated").task("a", { run: () => gate.promise }).returns("a");
  const sleepy = workflow("sleepy").task("a", { run: () => gate.promise }).sleep("b", { after: ["a"], for: "6s" });
  await using runner = await createRunner(counting, { workflows: [gated, sleepy], logger: false });
  const short = await runner.start(gated);
  const long = await runner.start(sleepy);
  const results = [short.result(), short.result({ timeout: "1m" }), short.outcome().then(({ status }) => status)];
  const released = long.outcome().then(({ status }) => status);
  gate.resolve(7);
  assertEquals([await Promise.all(results), reads], [[7, 7, "completed"], 0]);
  await long.cancel();
  assertEquals(await released, "cancelled");
  // The row, and not the runner, has the end of a run that was cancelled outside of memory.
  assertEquals(await short.result(), 7);
  assertEquals(reads > 0, true);
  await runner.stop();
  await store.close();
});
