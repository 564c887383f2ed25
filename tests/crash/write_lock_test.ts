/** Another process blocks all writes for a long time. */
import { assert, assertEquals } from "@std/assert";
import { watchEventLoop, wentOnTurning } from "../event_loop.ts";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import { JOURNAL } from "../journal.ts";
import { openSite } from "./site.ts";

test("a process that holds the write lock for three seconds delays only commits", async () => {
  await using site = await openSite();
  const worker = site.worker({ load: true, bodyMs: 10, quiet: true });
  await worker.until("durable");
  const locker = site.process("locker.ts", "3000");
  const turns = watchEventLoop();
  const from = Number((await locker.until("locked")).split(" ")[1]);
  const run = await site.client.start("chain", { n: 1 });
  const startedAt = Date.now();
  const to = Number((await locker.until("unlocking")).split(" ")[1]);
  assert(startedAt >= to, "the lock did not hold");
  assertEquals(await within("the run", run.result()), 7);
  const { stdout } = await site.stop(worker);
  const told = /^turned (.+)$/m.exec(stdout)![1]!;
  assert(wentOnTurning(JSON.parse(told), turns(), { from, to }), `from ${from} to ${to}: ${told}`);

  const heir = site.worker({ quiet: true });
  await within("the rest", ended());
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
  const burned = await site.query(`
    select task, attempts
      from ${JOURNAL}
     where step = '' and state <> 'skipped' and attempts <> case task when 'third_time' then 3 else 1 end`);
  assertEquals(burned, []);
  assertEquals(await site.query("select distinct workflow from runs where state = 'failed'"), [{
    workflow: "failing",
  }]);

  async function ended(): Promise<void> {
    for (const { id } of await site.query("select id from runs")) await (await site.client.get(String(id))).outcome();
  }
});
