/** Notifications between processes: control requests, ends and new runs take effect without a poll or a heartbeat. */
import { assertEquals, assertRejects } from "@std/assert";
import { RunCancelledError } from "../../mod.ts";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import { clockWithoutPolls } from "./clock_without_polls.ts";
import { openSite } from "./site.ts";

test("cancel() from another process aborts the body without a poll", async () => {
  await using site = await openSite(clockWithoutPolls);
  const worker = site.worker({ neverPolls: true, hold: { b: "heed" } });
  await worker.until("ready");
  const run = await site.client.start("chain", { n: 1 });
  await within("the start", worker.until("holding b"));
  await run.cancel("enough");
  await within("the abort", worker.until("aborted b RunCancelledError"));
  await within("the end", assertRejects(() => run.result(), RunCancelledError, "enough"));
  assertEquals((await run.tasks()).map(({ state }) => state), ["completed", "cancelled", "cancelled"]);
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("pause() and resume() from another process take effect without a poll", async () => {
  await using site = await openSite(clockWithoutPolls);
  const worker = site.worker({ neverPolls: true, hold: { t9: "gate" } });
  await worker.until("ready");
  const run = await site.client.start("long", {});
  await within("the start", worker.until("holding t9"));
  await run.pause("lunch");
  // By the end of a run that is started after the request, the runner has read the request.
  const other = await site.client.start("patient", { n: 1 });
  await within("another run", other.result());
  site.openGate();
  await within("the pause", worker.until("run.paused"));
  assertEquals(site.begun(run.id).length, 10);
  await run.resume();
  await within("the next task", worker.until("task.started t10"));
  assertEquals((await within("the run", run.outcome())).status, "completed");
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("result() in one process returns without a poll when another process has finished the run", async () => {
  await using site = await openSite(clockWithoutPolls);
  const worker = site.worker({ neverPolls: true, hold: { c: "slow" } });
  await worker.until("ready");
  for (let n = 0; n < 3; n++) {
    const run = await site.client.start("chain", { n });
    assertEquals(await within("the run", run.result()), (n + 1) * 2 + 3);
  }
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("an idle runner claims a run that another process starts without a poll", async () => {
  await using site = await openSite();
  const worker = site.worker({ neverPolls: true });
  await worker.until("ready");
  for (let n = 0; n < 3; n++) {
    const run = await site.client.start("chain", { n });
    await within("the run", run.result());
  }
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("a runner takes over from a runner that was killed on the same host without waiting for the lease to expire", async () => {
  await using site = await openSite();
  const heir = site.worker();
  await heir.until("ready");
  const doomed = site.worker({ starts: [["chain", 1]], hold: { b: "deaf" } });
  await doomed.until("holding b");
  await site.kill(doomed);
  const run = await site.client.start("chain", { n: 1 }, { key: "1" });
  // Deaths cause no notification: a runner polls every one to three seconds.
  assertEquals(await within("the run", run.result()), 7);
  await site.stop(heir);
  assertEquals(await site.wrong(), []);
});

test("cancel() ends a run whose only runner was killed on the same host without waiting for the lease to expire", async () => {
  await using site = await openSite();
  const doomed = site.worker({ starts: [["chain", 1]], hold: { b: "deaf" } });
  await doomed.until("holding b");
  await site.kill(doomed);
  const run = await site.client.start("chain", { n: 1 }, { key: "1" });
  await within("the cancel", run.cancel("enough"));
  assertEquals((await run.status()).state, "cancelled");
  assertEquals(await site.wrong(), []);
});
