/** Runners that continue after their lease expired. */
import { assert, assertEquals } from "@std/assert";
import type { Child } from "../child.ts";
import { test } from "../harness.ts";
import { passes } from "../passes.ts";
import { until, within } from "../within.ts";
import { writeEnd } from "./effects.ts";
import { openSite } from "./site.ts";

test("a runner that was stopped for longer than its lease cannot write, is notified, and continues under a new id", async () => {
  await using site = await openSite();
  const stale = site.worker({ lease: "1s", starts: [["chain", 1]], hold: { b: "late" } });
  await stale.until("holding b");
  // Recorded before the other runner starts, which may take longer than the lease on a slow machine.
  writeEnd(site.log, "kill", stale.pid);
  const heir = site.worker();
  await heir.until("ready");
  await site.freeze(stale);
  const run = await site.client.start("chain", { n: 1 }, { key: "1" });
  assertEquals(await within("the run", run.result()), 7);

  stale.kill("SIGCONT");
  await within("to abort", stale.until("aborted b LeaseLostError"));
  await site.stop(heir);
  const next = await site.client.start("diamond", { n: 1 });
  assertEquals(await within("the next run", next.result()), 231);
  assert(site.effects(next.id).every(({ pid }) => pid === stale.pid));
  await site.stop(stale);
  assertEquals((await run.tasks()).map(({ output, attempts }) => [output, attempts]), [[2, 1], [4, 1], [7, 1]]);
  assertEquals(await site.wrong(), [lateEnd(run.id, stale, heir)]);
});

test("the late result of a body that blocked its runner for longer than the lease is not recorded", async () => {
  await using site = await openSite();
  const stale = site.worker({ lease: "1s", starts: [["chain", 1]], hold: { b: "busy" } });
  await stale.until("holding b");
  writeEnd(site.log, "kill", stale.pid);
  const heir = site.worker({ hold: { b: "gate" } });
  const run = await site.client.start("chain", { n: 1 }, { key: "1" });
  await within("to take over", heir.until("holding b"));
  site.openGate("b");
  // The late result arrives while the run has an owner again, so that only the epoch distinguishes them.
  await within("to answer", stale.until("run.leaseLost"));
  assertEquals((await run.tasks()).map(({ output }) => output), [2, undefined, undefined]);
  site.openGate();
  assertEquals(await within("the run", run.result()), 7);
  await site.stop(heir);

  const next = await site.client.start("diamond", { n: 1 });
  assertEquals(await within("the next run", next.result()), 231);
  const { stderr } = await site.stop(stale);
  assert(stderr.includes("The event loop was blocked"), stderr);
  assertEquals((await run.tasks()).map(({ output, attempts }) => [output, attempts]), [[2, 1], [4, 1], [7, 1]]);
  assertEquals(await site.wrong(), [lateEnd(run.id, stale, heir)]);
});

test("a runner that was stopped for longer than its lease keeps its runs if no other runner has recovered them", async () => {
  await using site = await openSite();
  // The renewal that confirms the lease may take a sixth of it: 1.5 seconds, which is enough on a slow machine.
  const worker = site.worker({ lease: "9s", starts: [["chain", 1]], hold: { b: "slow" } });
  await worker.until("holding b");
  await site.freeze(worker);
  // There is no event to wait for: the lease expires with time.
  await passes(9_500);
  worker.kill("SIGCONT");
  const run = await site.client.start("chain", { n: 1 }, { key: "1" });
  assertEquals(await within("the run", run.result()), 7);
  assertEquals(site.begun(run.id), ["a", "b", "c"]);
  await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

test("a runner that was stopped for longer than its lease starts no queued body of the runs that it lost", async () => {
  await using site = await openSite();
  const starts = Array.from({ length: 12 }, (_, n) => ["chain", n] as const);
  const stale = site.worker({ lease: "1s", concurrency: 2, starts, hold: { a: "gate" } });
  for (let held = 0; held < 2; held++) await stale.until("holding a");
  // Ten runs wait for a slot.
  await until(async () => (await site.query("select 1 from runs where owner is not null")).length === starts.length);
  writeEnd(site.log, "kill", stale.pid);
  await site.freeze(stale);
  const heir = site.worker();
  for (const [name, n] of starts) {
    const run = await site.client.start(name, { n }, { key: `${n}` });
    assertEquals((await within("the run", run.outcome())).status, "completed");
  }
  const before = begunBy(stale).length;
  stale.kill("SIGCONT");
  await within("to abort", stale.until("aborted a LeaseLostError"));
  await site.stop(heir);
  // The slots are free for other runs.
  const next = await site.client.start("diamond", { n: 1 });
  assertEquals(await within("the next run", next.result()), 231);
  assertEquals(begunBy(stale).slice(before).map(({ runId }) => runId), [next.id, next.id, next.id, next.id]);
  site.openGate();
  await site.stop(stale);

  function begunBy({ pid }: Child) {
    return site.effects().filter((effect) => effect.kind === "begin" && effect.pid === pid);
  }
});

/** The only effect of a stale runner that cannot be prevented: the end of its body. */
function lateEnd(runId: string, stale: Child, heir: Child): string {
  return `end of b, attempt 1, of run ${runId} by ${stale.pid}: it belongs to ${heir.pid} by now`;
}
