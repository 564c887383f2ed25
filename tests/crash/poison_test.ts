/** Runs that crash their runner. */
import { assert, assertEquals } from "@std/assert";
import { RecoveryLimitError } from "../../mod.ts";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import { openSite, type Site } from "./site.ts";
import type { WorkerConfig } from "./worker.ts";

test("a run that crashed five runners fails, and the other runs complete", async () => {
  await using site = await openSite();
  const before = await site.client.startMany("chain", [{ n: 1 }, { n: 2 }]);
  const poison = await site.client.start("poison", { n: 0 });
  const after = await site.client.startMany("chain", Array.from({ length: 30 }, (_, n) => ({ n })));
  const deaths = await superviseUntil(site, {}, poison.outcome());
  assertEquals(deaths, 5);
  const outcome = await poison.outcome();
  assert(outcome.status === "failed" && outcome.error instanceof RecoveryLimitError);
  assertEquals(outcome.error.crashes, 5);
  assertEquals(site.begun(poison.id).length, 5);
  await superviseUntil(site, {}, Promise.all([...before, ...after].map((run) => run.outcome())));
  for (const run of [...before, ...after]) assertEquals((await run.status()).state, "completed");
  assertEquals(await site.wrong(), []);
});

test("recoveryLimit sets after how many crashes a run fails", async () => {
  await using site = await openSite();
  const poison = await site.client.start("poison", { n: 0 });
  assertEquals(await superviseUntil(site, { recoveryLimit: 2 }, poison.outcome()), 2);
  assertEquals((await poison.status()).error?.code, "recovery_limit");
  assertEquals(await site.wrong(), []);
});

test("runs that wait for a slot while another run crashes the runner do not fail with it", async () => {
  await using site = await openSite();
  const poison = await site.client.start("poison", { n: 0 }, { priority: -1 });
  const others = await site.client.startMany("chain", Array.from({ length: 100 }, (_, n) => ({ n })));
  await superviseUntil(site, {}, Promise.all([poison, ...others].map((run) => run.outcome())));
  const states = await Promise.all(others.map(async (run) => (await run.status()).state));
  assertEquals(states.filter((state) => state !== "completed"), []);
  assertEquals(await site.wrong(), []);
});

/** Replaces each worker that dies until `done` resolves, and stops the last one; returns how many died. */
async function superviseUntil(site: Site, config: Partial<WorkerConfig>, done: Promise<unknown>): Promise<number> {
  let deaths = 0;
  let isDone = false;
  const finished = within("the runs", done).then(() => isDone = true);
  // The promise may reject before the loop below awaits it.
  finished.catch(() => {});
  for (;; deaths++) {
    const worker = site.worker({ quiet: true, ...config });
    // Not until it is ready: on a slow machine a body may kill the worker before it prints that.
    await Promise.race([finished, worker.exited]);
    if (!isDone) continue;
    await worker.until("ready");
    await site.stop(worker);
    return deaths;
  }
}
