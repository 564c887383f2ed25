/** What one process orders reaches the one that executes, and what that one does is heard, all well below a second. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { RunCancelledError } from "../../mod.ts";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import { openSite } from "./site.ts";

/** Without a wake-up it would take the next slow poll or heartbeat: one, two or ten seconds. */
const QUICKLY_MS = 900;
/** What the best of a few tries takes at most, however busy the machine is. */
const BEST_MS = 200;

test("cancel() from another process aborts the body at once", async () => {
  await using site = await openSite();
  const worker = site.worker({ hold: { b: "heed" } });
  await worker.until("ready");
  const run = await site.client.start("chain", { n: 1 });
  await within(QUICKLY_MS, "to start", worker.until("holding b"));
  await run.cancel("enough");
  await within(QUICKLY_MS, "to cancel", worker.until("aborted b RunCancelledError"));
  await within(QUICKLY_MS, "to end", assertRejects(() => run.result(), RunCancelledError, "enough"));
  assertEquals((await run.tasks()).map(({ state }) => state), ["completed", "cancelled", "cancelled"]);
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("pause() and resume() from another process are obeyed at once", async () => {
  await using site = await openSite();
  const worker = site.worker({ bodyMs: 20 });
  const run = await site.client.start("long", {});
  await worker.until("task.started t9");
  await run.pause("lunch");
  await within(QUICKLY_MS, "to pause", worker.until("run.paused"));
  const before = site.begun(run.id);
  assert(before.length < 60, "it was over before it could be paused");
  const other = await site.client.start("patient", { n: 1 });
  await within(5_000, "another run", other.result());
  assertEquals(site.begun(run.id), before);
  await run.resume();
  await within(QUICKLY_MS, "to go on", worker.until(`task.started t${before.length}`));
  assertEquals((await within(5_000, "the run", run.outcome())).status, "completed");
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("result() in one process tells at once of a run that another has finished", async () => {
  await using site = await openSite();
  const worker = site.worker({ hold: { c: "slow" } });
  await worker.until("ready");
  const waits: number[] = [];
  for (let n = 0; n < 3; n++) {
    const run = await site.client.start("chain", { n });
    await run.result();
    const toldAt = Date.now();
    waits.push(toldAt - (await run.status()).endedAt!);
  }
  assert(Math.min(...waits) < BEST_MS && Math.max(...waits) < QUICKLY_MS, `told after ${waits} ms`);
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("an idle runner takes up at once what another process starts", async () => {
  await using site = await openSite();
  const worker = site.worker();
  await worker.until("ready");
  const waits: number[] = [];
  for (let n = 0; n < 3; n++) {
    const run = await site.client.start("chain", { n });
    await run.result();
    const { createdAt, startedAt } = await run.status();
    waits.push(startedAt! - createdAt);
  }
  assert(Math.min(...waits) < BEST_MS && Math.max(...waits) < QUICKLY_MS, `taken up after ${waits} ms`);
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("a runner that lives takes over from one that was killed on the same host, long before its lease is over", async () => {
  await using site = await openSite();
  const heir = site.worker();
  await heir.until("ready");
  const doomed = site.worker({ starts: [["chain", 1]], hold: { b: "deaf" } });
  await doomed.until("holding b");
  await site.kill(doomed);
  const run = await site.client.start("chain", { n: 1 }, { key: "1" });
  // Nobody tells it: it looks, every one to three seconds.
  assertEquals(await within(5_000, "the run", run.result()), 7);
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
});
