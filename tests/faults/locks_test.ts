/** Rows, tables and schemas that a session outside of Sluice has locked and forgotten. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createClient, createRunner, unchecked, workflow } from "../../mod.ts";
import type { Logger } from "../../lib/logger.ts";
import { test } from "../harness.ts";
import { type TestSchema, testSchema } from "../store/postgres_schema.ts";
import { until, within } from "../within.ts";

function recorder(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  return { lines, logger: { debug() {}, info() {}, warn: log, error: log } };
}

/** A session that has executed a statement in a transaction, which is open until the end of the scope. */
async function forgotten({ sql }: TestSchema, statement: string): Promise<AsyncDisposable> {
  const session = await sql.reserve();
  await session.unsafe("begin");
  await session.unsafe(statement);
  return {
    async [Symbol.asyncDispose]() {
      await session.unsafe("rollback");
      session.release();
    },
  };
}

for (const prepare of [true, false]) {
  test(`postgres: two runs whose rows a forgotten session has locked hold up no other run, with prepare: ${prepare}`, async () => {
    await using on = testSchema();
    const { logger, lines } = recorder();
    const store = await on.open({ logger, prepare });
    const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let waiting = 0;
    const flow = workflow("flow", { input: unchecked<boolean>() })
      .task("a", {
        run: async ({ input }) => {
          if (input && ++waiting === 2) begun.resolve();
          if (input) await goOn.promise;
          return 1;
        },
      })
      .task("b", { after: ["a"], run: ({ a }) => a + 1 })
      .returns("b");
    const endless = workflow("endless").task("wait", {
      run: ({ ctx }) => new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve())),
    });
    await using runner = await createRunner(store, { workflows: [flow, endless], logger });
    const held = [await runner.start(flow, true), await runner.start(flow, true)];
    const other = await runner.start(endless);
    await begun.promise;
    {
      const ids = held.map(({ id }) => `'${id}'`).join();
      await using _locks = await forgotten(on, `select 1 from runs where id in (${ids}) for update`);
      goOn.resolve();
      await until(() => lines.some((line) => line.includes("locked")), "the locks are noticed");
      for (let n = 0; n < 20; n++) {
        assertEquals(await within("another run", (await runner.start(flow, false)).result()), 2);
      }
      await within("a cancel of another run", other.cancel());
      assertEquals((await within("its end", other.outcome())).status, "cancelled");
      // While nothing is to do but to wait, that costs next to nothing.
      const before = store.counters().statements;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const statements = store.counters().statements - before;
      assert(statements < 30, `${statements} statements`);
    }
    assertEquals(await Promise.all(held.map((run) => run.result())), [2, 2]);
    assertEquals(lines.filter((line) => line.includes("locked")).length, 2, lines.join("\n"));
    assertStringIncludes(lines.at(-1)!, "No row of a run");
  });
}

test("postgres: a cancel of a run whose row is locked holds up no cancel of another run", async () => {
  await using on = testSchema();
  const flow = workflow("flow").task("a", { run: () => 1 });
  await using client = await createClient(await on.open(), { workflows: [flow] });
  const [locked, other] = [await client.start(flow), await client.start(flow)];
  let cancelled: Promise<void>;
  {
    await using _lock = await forgotten(on, `select 1 from runs where id = '${locked.id}' for update`);
    cancelled = locked.cancel();
    await within("a cancel of another run", other.cancel());
    assertEquals((await locked.status()).state, "pending");
  }
  await within("the cancel", cancelled);
  assertEquals((await locked.status()).state, "cancelled");
});
