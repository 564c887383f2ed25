/** Closed connections leave nothing behind in the process or on the server. Deno detects leaked timers. */
import { assertEquals } from "@std/assert";
import { type Connection, openConnection } from "../../lib/store/postgres/connect/connection.ts";
import { createHostOrder } from "../../lib/store/postgres/connect/hosts.ts";
import { parsePostgresUrl } from "../../lib/store/postgres/connect/url.ts";
import { test } from "../harness.ts";
import { databaseUrl } from "../postgres_server.ts";
import { until } from "../within.ts";
import { join, newRun, start } from "./contract/fixture.ts";
import { testSchema } from "./postgres_schema.ts";

const address = parsePostgresUrl(await databaseUrl());

/** Sends a transaction whose end the driver delays until the server has described the second statement. */
function sendTransaction({ query }: Connection): void {
  const results = [query("begin", []), query("select $1::text, pg_sleep(0.01)", ["1"]), query("commit", [])];
  for (const result of results) result.catch(() => {});
}

const MOMENTS: Readonly<Record<string, (connection: Connection) => unknown>> = {
  "before its first statement": () => {},
  "in the turn of its first statement": sendTransaction,
  "while it opens": async (connection) => {
    sendTransaction(connection);
    await new Promise((resolve) => setTimeout(resolve));
  },
  "while it is idle": ({ query }) => query("select 1", []),
  "in the turn of a later statement": async (connection) => {
    await connection.query("select 1", []);
    sendTransaction(connection);
  },
  "while the server executes a statement": async (connection) => {
    await connection.query("select 1", []);
    sendTransaction(connection);
    await new Promise((resolve) => setTimeout(resolve, 3));
  },
};

for (const [moment, reach] of Object.entries(MOMENTS)) {
  for (const how of ["closed", "abandoned", "closed and abandoned"]) {
    test(`postgres: a connection that is ${how} ${moment} leaves no timer behind`, async () => {
      const hosts = createHostOrder(1);
      const connection = openConnection({ address, hosts, prepare: true, applicationName: "x", deadlineMs: 20_000 });
      await reach(connection);
      const closed = how === "abandoned" ? undefined : connection.close();
      if (how !== "closed") connection.abandon();
      await Promise.all([closed, connection.close()]);
      assertEquals(connection.isLost, true);
    });
  }
}

test("postgres: closing a store just after a body was aborted ends the statement of the body", async () => {
  await using on = testSchema();
  const store = await on.open();
  const runner = await join(store);
  const [seq] = await start(store, newRun({ owner: runner, dueAt: 0 }));
  const isSleeping = async (): Promise<boolean> =>
    (await on.sql`select from pg_stat_activity where query like ${`%sleep ${on.schema}%`} and pid <> pg_backend_pid()`)
      .length > 0;
  const aborting = new AbortController();
  const aborted = store.transact({
    seq: seq!,
    epoch: 1,
    task: "pay",
    item: -1,
    async body(tx) {
      await (tx as typeof on.sql).unsafe(`select pg_sleep(300) /* sleep ${on.schema} */`);
      throw new Error("the statement was not interrupted");
    },
    signal: aborting.signal,
    committing() {},
  }).catch((error: unknown) => error);
  await until(isSleeping);
  const reason = new Error("too late");
  aborting.abort(reason);
  assertEquals(await aborted, reason);
  await store.close();
  await until(async () => !await isSleeping());
});
