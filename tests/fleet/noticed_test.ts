/**
 * Each kind of change that another process makes to an SQLite file is detected by the polls of `pragma data_version`,
 * long before the slow poll. The test advances the clock of the runner by less than two of these polls.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
import { createRunner, type Runner } from "../../mod.ts";
import { ended, spawn } from "../child.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { type Work, work } from "./work.ts";

interface Site extends AsyncDisposable {
  readonly runner: Runner<Work>;
  readonly clock: FakeClock;
  /** The inputs of bodies that have begun; bodies end when they are aborted. */
  readonly begun: readonly number[];
  /** Makes a change in another process, and advances the clock by the time in which it must be detected. */
  change(...args: readonly string[]): Promise<void>;
  readonly path: string;
}

test("sqlite: a run that another process starts begins with the next poll", async () => {
  await using site = await open();
  await site.change("start");
  assertEquals(site.begun, [1]);
});

test("sqlite: the owner of a run detects with the next poll that another process cancels, pauses or resumes the run", async () => {
  await using site = await open();
  const { runner, clock } = site;
  const run = await runner.start("work", 7);
  await clock.settle();
  const connection = await openConnection(site.path, { readOnly: true });
  for (const [change, state] of [["pause", "paused"], ["resume", "running"], ["cancel", "cancelled"]] as const) {
    await site.change(change, run.id);
    const row = connection.prepare("select state, attention = acknowledged as is_noticed from runs").get();
    assertEquals({ ...row }, { state, is_noticed: 1 });
  }
  connection.close();
});

test("sqlite: the end of a run in another process is detected with the next poll", async () => {
  using dir = tempDir();
  const path = join(dir.path, "app.db");
  const clock = createFakeClock(Date.now() + 300_000);
  // Another workflow, so that the run is executed by the other process.
  await using waiting = await createRunner(`sqlite://${path}`, { workflows: [], clock });
  const started = spawn("./fleet/changing_process.ts", [`sqlite://${path}`, "start"]);
  await ended(started);
  const [listed] = (await waiting.list()).runs;
  let hasEnded = false;
  const outcome = waiting.get(listed!.id).outcome().then(({ status }) => (hasEnded = true, status));
  await clock.settle();
  const executing = spawn("./fleet/changing_process.ts", [`sqlite://${path}`, "execute"]);
  await ended(executing);
  await clock.advance("40ms");
  assertEquals(hasEnded, true);
  assertEquals(await outcome, "completed");
});

test("sqlite: a runner that starts and ends its own runs does not wake other processes", async () => {
  await using site = await open();
  const busy = spawn("./fleet/busy_process.ts", [`sqlite://${site.path}`, "", "100", "1"]);
  assertEquals((await ended(busy)).code, 0);
  const connection = await openConnection(site.path, { readOnly: true });
  assertEquals(connection.prepare("select runner, raised from wakeups").all(), []);
  connection.close();
});

async function open(): Promise<Site> {
  const dir = tempDir();
  const path = join(dir.path, "app.db");
  const url = `sqlite://${path}`;
  const clock = createFakeClock(Date.now() + 300_000);
  const begun: number[] = [];
  const flow = work((input, signal) => {
    begun.push(input);
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const runner = await createRunner(url, { workflows: [flow], clock });
  await clock.settle();
  return {
    runner,
    clock,
    begun,
    path,
    async change(...args) {
      const { code, stderr } = await ended(spawn("./fleet/changing_process.ts", [url, ...args]));
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      await clock.advance("40ms");
    },
    async [Symbol.asyncDispose]() {
      await clock.until(runner.stop({ timeout: 0 }));
      dir[Symbol.dispose]();
    },
  };
}
