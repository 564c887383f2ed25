/** Notifications are optional: nothing fails if the queue of the server is full. */
import { assertEquals } from "@std/assert";
import postgres from "postgres";
import { createClient, createRunner, unchecked, workflow } from "../../mod.ts";
import { silent } from "../../lib/logger.ts";
import { openPostgresStore, transaction } from "../../lib/store/postgres/mod.ts";
import { test } from "../harness.ts";
import { ownServer } from "../postgres_server.ts";
import { within } from "../within.ts";

test("postgres: a full queue of notifications fails no start, result, cancel or transaction", async () => {
  // The size of the queue can be set since Postgres 17.
  await using server = await ownServer(["max_notify_queue_pages=64"]);
  const sql = postgres(server.url, { max: 2, max_lifetime: null, onnotice() {} });
  const store = await openPostgresStore(server.url, { logger: silent });
  const other = await openPostgresStore(server.url, { logger: silent });
  const flow = workflow("flow", { input: unchecked<number>() })
    .task("a", { run: ({ input }) => input + 1 })
    .task("b", { after: ["a"], ...transaction, run: ({ a }) => Promise.resolve(a + 1) })
    .returns("b");
  const endless = workflow("endless").task("wait", {
    run: ({ ctx }) => new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve())),
  });
  const runner = await createRunner(store, { workflows: [flow, endless], logger: silent });
  const client = await createClient(other, { workflows: [flow, endless], logger: silent });
  const waiting = await runner.start(endless);
  const reader = await sql.reserve();
  await reader`listen gossip`;
  await reader`begin`;
  await reader`select 1`;
  let code: unknown;
  while (code === undefined) {
    await sql`select pg_notify('gossip', repeat('x', 7000) || random()::text)`.catch((error) => code = error.code);
  }
  assertEquals(code, "54000");
  const own = await runner.start(flow, 1);
  const clients = [await client.start(flow, 2), await client.start(flow, 3, { key: "k" })];
  const within3 = await sql.begin((tx) => client.start(flow, 4, { tx }));
  const results = await within("the results", Promise.all([own, ...clients, within3].map((run) => run.result())));
  assertEquals(results, [3, 4, 5, 6]);
  await (await client.get(waiting.id)).cancel();
  assertEquals((await within("the cancel", waiting.outcome())).status, "cancelled");
  await reader`rollback`;
  reader.release();
  await runner.stop();
  await client.stop();
  await Promise.all([store.close(), other.close()]);
  await sql.end();
});
