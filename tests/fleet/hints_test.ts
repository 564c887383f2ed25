/** Notifications between runners: there are as few as possible, and correctness does not depend on them. */
import { TABLES } from "../../lib/store/postgres/schema/schema.ts";
import { assert, assertEquals } from "@std/assert";
import postgres from "postgres";
import { createFakeClock } from "../../lib/testing/mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { openCrew } from "./crew.ts";
import type { TestSchema } from "../store/postgres_schema.ts";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** Receives every notification of a schema. */
async function ear({ url, schema }: TestSchema) {
  const sql = postgres(url, { max: 1, max_lifetime: null, fetch_types: false, onnotice() {} });
  const heard: string[] = [];
  await sql.listen(`sluice_${schema}`, (payload) => void heard.push(payload));
  return {
    heard,
    /** Returns the notifications so far, without those of this query. */
    async all(): Promise<readonly string[]> {
      await sql.notify(`sluice_${schema}`, "mark");
      await until(() => heard.includes("mark"));
      return heard.splice(0).filter((payload) => payload !== "mark");
    },
    close: () => sql.end({ timeout: 1 }),
  };
}

test("a run whose notification was lost is found by the next poll", async () => {
  await using crew = await openCrew();
  const clock = createFakeClock();
  let [claims, answers] = [0, 0];
  const member = await crew.add({ clock }, (store) => ({
    ...store,
    watch: () => () => {},
    async claim(request) {
      claims++;
      const claim = await store.claim(request);
      answers++;
      return claim;
    },
  }));
  // One claim at the start of the runner, and one every two seconds.
  for (const many of [1, 2]) {
    await until(() => answers === many);
    await clock.advance("2s");
  }
  await until(() => answers === 3);
  const run = await crew.client.start("work", 1);
  const listener = await ear(crew.on);
  await listener.all();
  await clock.advance("1900ms");
  assertEquals([claims, (await run.status()).state], [3, "pending"]);
  await clock.advance("100ms");
  await until(() => member.begun.length === 1);
  assertEquals(claims, 4);
  await listener.close();
});

test("runs are found although the connection of the listener is cut repeatedly", async () => {
  await using crew = await openCrew();
  const { sql, schema } = crew.on;
  const member = await crew.add({});
  member.open();
  let isOver = false;
  let cuts = 0;
  const cutting = (async () => {
    while (!isOver) {
      const ended = await sql`
        select pg_terminate_backend(pid) from pg_stat_activity where application_name like ${`sluice listener%${schema}`}`;
      cuts += ended.length;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  // Reconnects are counted, not runs: three runs may end before the listener has connected for the third time.
  for (let n = 0; n < 3 || cuts < 3; n++) {
    const run = await crew.client.start("work", n);
    await until(async () => (await run.status()).state === "completed");
  }
  isOver = true;
  await cutting;
});

test("a thousand runs that are started at once cause one notification per commit", async () => {
  await using crew = await openCrew();
  const listener = await ear(crew.on);
  const before = (await crew.client.stats()).store.commits;
  await Promise.all(numbers(1_000).map((n) => crew.client.start("work", n)));
  const commits = (await crew.client.stats()).store.commits - before;
  assert(commits <= 10, `${commits} commits`);
  assertEquals((await listener.all()).length, commits);
  await crew.client.startMany("work", numbers(1_000));
  assertEquals((await listener.all()).length, 1);
  // Runs that are not due cause no notification.
  await crew.client.startMany("work", numbers(10), { delay: "1h" });
  assertEquals(await listener.all(), []);
  await listener.close();
});

test("an idle runner writes only its heartbeat, according to the server, and sends no notification", async () => {
  await using crew = await openCrew();
  const { sql, schema } = crew.on;
  const listener = await ear(crew.on);
  const clock = createFakeClock();
  let store: Store | undefined;
  const member = await crew.add({ clock }, (given) => store = given);
  await crew.client.stop();
  for (let second = 0; second < 120; second++) {
    await clock.advance("1s");
    // The fake clock advances without waiting for the responses of the server.
    await Promise.all([store!.runners(), store!.counts(), store!.inbox(0)]);
  }
  assertEquals(await listener.all(), []);
  await member.runner.stop();
  await store!.close();
  await listener.close();
  const written = async () =>
    Object.fromEntries(
      (await sql`
        select relname, n_tup_ins || ' ' || n_tup_upd || ' ' || n_tup_del as rows
          from pg_stat_user_tables where schemaname = ${schema} and relname <> 'meta'`)
        .map(({ relname, rows }) => [relname, rows]),
    );
  // The server publishes the statistics of a connection when the connection ends.
  await until(async () => (await written())["runners"]?.endsWith(" 1"));
  // The definition was stored by the client, whose connections are still open.
  const { runners, workflows: _, ...others } = await written();
  const tables = TABLES.filter((table) => !["runners", "workflows", "meta"].includes(table));
  assertEquals(others, Object.fromEntries(tables.map((table) => [table, "0 0 0"])));
  // A lease of 30 seconds is renewed every 10 seconds, plus or minus a jitter.
  const renewals = Number(/^1 (\d+) 1$/.exec(runners)?.[1]);
  assert(renewals >= 10 && renewals <= 13, runners);
});
