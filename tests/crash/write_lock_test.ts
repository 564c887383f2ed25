/** Another process keeps everybody from writing for long. */
import { assert, assertEquals } from "@std/assert";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import { openSite } from "./site.ts";

/** The lock is held three times as long; a machine that is busy with other things may stop the process for a moment. */
const STUCK_MS = 1_000;

test("a process that holds the write lock for three seconds delays commits, and nothing else", async () => {
  await using site = await openSite();
  const worker = site.worker({ load: true, bodyMs: 10, quiet: true });
  await worker.until("durable");
  const locker = site.process("locker.ts", "3000");
  await locker.until("locked");
  const since = performance.now();
  const run = await site.client.start("chain", { n: 1 });
  assert(performance.now() - since > 2_500, "the lock did not hold");
  await locker.until("unlocked");
  assertEquals(await within(2_000, "the run", run.result()), 7);
  const { stdout } = await site.stop(worker);
  assert(Number(/^stuck (\d+)$/m.exec(stdout)?.[1]) < STUCK_MS, stdout.split("\n").at(-2));

  const heir = site.worker({ quiet: true });
  await within(10_000, "the rest", ended());
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
  const burned = await site.query(`
    select task, attempts
      from tasks
     where step = '' and state <> 'skipped' and attempts <> case task when 'third_time' then 3 else 1 end`);
  assertEquals(burned, []);
  assertEquals(await site.query("select distinct workflow from runs where state = 'failed'"), [{
    workflow: "failing",
  }]);

  async function ended(): Promise<void> {
    for (const { id } of await site.query("select id from runs")) await (await site.client.get(String(id))).outcome();
  }
});
