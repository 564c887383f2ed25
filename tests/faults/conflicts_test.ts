/** A reachable server that rejects work; SLUICE_FAULT_SECONDS sets the duration. */
import { assert, assertEquals } from "@std/assert";
import { randomTest, test } from "../harness.ts";
import postgres from "postgres";
import type { Child } from "../child.ts";
import { databaseUrl, ownServer } from "../postgres_server.ts";
import { passes } from "../passes.ts";
import { FAULTS_MS, faultsGoOn, openSite, type Site } from "./site.ts";

// Started before any test, so that the leak sanitizer does not attribute the server to one.
const url = await databaseUrl();

const DEADLOCK = "40P01";

/** Starts two runners, of which one starts runs, and a client that starts more. */
async function openLoaded(site: Site): Promise<Child[]> {
  const workers = [site.worker({ clientOnly: true, load: true }), site.worker({ load: true }), site.worker()];
  await Promise.all(workers.map(site.ready));
  return workers;
}

test("postgres: random deadlocks, serialization failures and lock timeouts consume no attempt", async () => {
  await using site = await openSite(url);
  await site.ask(`
    create function @trouble() returns trigger language plpgsql as $$
      begin
        if random() < 0.03 then
          perform nextval('@failures');
          raise exception 'injected' using errcode = (array['40001', '40P01', '55P03'])[1 + floor(random() * 3)::int];
        end if;
        return null;
      end $$`);
  await site.ask("create sequence @failures");
  await openLoaded(site);
  for (const table of ["runs", "tasks", "runners", "events"]) {
    await site.ask(`
      create trigger trouble after insert or update or delete on @${table}
        for each statement execute function @trouble()`);
  }
  const goesOn = faultsGoOn(20);
  while (goesOn(Number((await site.ask("select last_value from @failures"))[0]!["last_value"]))) await passes(100);
  for (const table of ["runs", "tasks", "runners", "events"]) await site.ask(`drop trigger trouble on @${table}`);
  assertEquals([await site.finish(), site.repeated()], [[], []]);
});

randomTest("postgres: users lock rows in orders that deadlock, and no body begins twice", async (random) => {
  await using site = await openSite(url);
  await openLoaded(site);
  // The lock timeout of the engine is shorter than `deadlock_timeout`, so that the engine loses, not the user.
  const user = postgres(url, { max: 1, onnotice() {}, connection: { deadlock_timeout: 60_000 } });
  const pid = Number((await user`select pg_backend_pid() as pid`)[0]?.["pid"]);
  let blocked = 0;
  const until = performance.now() + FAULTS_MS;
  while (performance.now() < until || blocked < 3) {
    try {
      // Half of the runs first: commits that wait for one of these have locked others, for which the user then waits.
      await user.begin(async (sql) => {
        await sql.unsafe(
          `select seq from "${site.schema}".runs where owner is not null and seq % 2 = 0 for update`,
        );
        if (await blocks(pid)) blocked++;
        await passes(300);
        await sql.unsafe(`select seq from "${site.schema}".runs where owner is not null and seq % 2 = 1 for update`);
        await passes(random.next() * 200);
      });
    } catch (error) {
      assertEquals((error as { code?: string }).code, DEADLOCK);
    }
    await passes(random.next() * 200);
  }
  await user.end({ timeout: 1 });
  assertEquals([await site.finish(), site.repeated()], [[], []]);

  /** Returns whether a connection of the site is blocked by a server process within 300 ms. */
  async function blocks(pid: number): Promise<boolean> {
    for (const until = performance.now() + 300; performance.now() < until;) {
      const rows = await site.ask(`
        select 1
          from pg_stat_activity
         where application_name like 'sluice flush%${site.schema}' and ${pid} = any(pg_blocking_pids(pid))`);
      if (rows.length > 0) return true;
    }
    return false;
  }
});

test("postgres: runners that lost their connections continue after the server has refused new ones", async () => {
  await using server = await ownServer(["max_connections=30", "superuser_reserved_connections=0"]);
  await using site = await openSite(server.url);
  const workers = await openLoaded(site);
  const crowd = postgres(server.url, { max: 30, connect_timeout: 1, backoff: () => 0.02, onnotice() {} });
  let isFull = true;
  const held: Promise<unknown>[] = [];
  // Each free connection is taken immediately, by these clients or by the runners.
  for (let i = 0; i < 30; i++) held.push(hold());
  for (const until = performance.now() + FAULTS_MS; performance.now() < until;) {
    await passes(200);
    await site.ask(`
      select pg_terminate_backend(pid)
        from pg_stat_activity
       where application_name like 'sluice%${site.schema}' and random() < 0.7`);
  }
  isFull = false;
  await Promise.all(held);
  await crowd.end({ timeout: 1 });
  assertEquals([await site.finish(), site.repeated()], [[], []]);
  const said = (await Promise.all(workers.map(({ exited }) => exited))).map(({ stderr }) => stderr).join("");
  assert(said.includes("too many clients"), said);

  async function hold(): Promise<void> {
    while (isFull) await crowd.unsafe("select pg_sleep(0.5)").catch(() => passes(20));
  }
});
