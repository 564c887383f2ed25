import { assertEquals } from "@std/assert";
import { createClient, createRunner, workflow } from "../../mod.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { silent } from "../../lib/logger.ts";
import { test } from "../harness.ts";

test("a run that starts while its row and its tasks are read has no event before run.started", async () => {
  const quick = workflow("quick").task("go", { run: () => "went" });
  const store = await openSqliteStore(":memory:", { logger: silent });
  let execute = async (): Promise<void> => {};
  const slow = {
    ...store,
    async run(id: string) {
      const row = await store.run(id);
      await execute();
      return row;
    },
  };
  await using client = await createClient(slow, { workflows: [quick] });
  const run = await client.start(quick);
  execute = async () => {
    execute = async () => {};
    await using runner = await createRunner(store, { workflows: [quick], logger: false });
    await runner.get(run.id).result();
  };
  const types = (await Array.fromAsync(run.events())).map(({ type }) => type);
  assertEquals(types, ["run.started", "task.started", "task.completed", "run.completed"]);
  await store.close();
});
