/** Runners are killed at random moments; SLUICE_CRASH_ROUNDS sets how often. */
import { assert, assertEquals } from "@std/assert";
import { randomTest } from "../harness.ts";
import process from "node:process";
import { passes } from "../passes.ts";
import { within } from "../within.ts";
import { JOURNAL } from "../journal.ts";
import { openSite, type Site } from "./site.ts";
import { expected } from "./workflows.ts";

const ROUNDS = Number(process.env["SLUICE_CRASH_ROUNDS"] ?? 20);

/** Higher than any number of kills that can hit one run: every run must reach its end. */
const NO_LIMIT = 1_000_000;

randomTest(
  "if a runner is killed at random moments repeatedly, every run reaches its end and no result is lost",
  async (random) => {
    await using site = await openSite();
    const started = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of ["chain", "diamond", "flaky", "stepwise", "failing", "wide"]) {
        const inputs = [{ n: round }, { n: round + 0.5 }];
        for (const { id } of await site.client.startMany(name, inputs)) started.add(id);
      }
      const worker = site.worker({ quiet: true, load: true, bodyMs: 20, recoveryLimit: NO_LIMIT });
      // Sometimes before it is open.
      if (round % 5 > 0) await worker.until("ready");
      await passes(random.next() * 200);
      for (const id of durable((await site.kill(worker)).stdout)) started.add(id);
    }
    const last = site.worker({ quiet: true, bodyMs: 5, recoveryLimit: NO_LIMIT });
    await checkEnds(site, started);
    await site.stop(last);
    assertEquals(await site.wrong(), []);
    assertEquals(site.effects().filter(({ kind }) => kind === "kill").length, ROUNDS);
  },
);

randomTest("if three runners on one store are killed at random moments, no run ever has two owners", async (random) => {
  await using site = await openSite();
  const started = new Set<string>();
  // The runners start some runs, and a process that only starts runs starts most of them.
  const config = { quiet: true, bodyMs: 20, recoveryLimit: NO_LIMIT };
  const workers = [site.worker({ ...config, load: true }), site.worker(config), site.worker(config)];
  const ownRuns = 15 * ROUNDS;
  const client = site.process("client.ts", String(ownRuns));
  for (let round = 0; round < ROUNDS; round++) {
    await passes(50 + random.next() * 150);
    const at = random.below(workers.length);
    const { stdout } = await site.kill(workers[at]!);
    for (const id of durable(stdout)) started.add(id);
    workers[at] = site.worker({ ...config, load: at === 0 });
  }
  for (const worker of workers) await worker.until("ready");
  const { code, stdout } = await client.exited;
  assertEquals([code, durable(stdout).length], [0, ownRuns]);
  for (const id of durable(stdout)) started.add(id);
  for (const id of durable((await site.stop(workers[0]!)).stdout)) started.add(id);
  await checkEnds(site, started);
  for (const worker of workers.slice(1)) await site.stop(worker);
  assertEquals(await site.wrong(), []);
});

/** Waits until all runs have ended, checks that those in `started` exist, and checks their outcomes. */
async function checkEnds(site: Site, started: ReadonlySet<string>): Promise<void> {
  const rows = await site.query("select id, workflow, input from runs");
  const there = new Set(rows.map(({ id }) => String(id)));
  assertEquals([...started].filter((id) => !there.has(id)), [], "started, and not there");
  assert(rows.length >= 10 * ROUNDS, "too few runs for the test to mean anything");
  const wrong: unknown[] = [];
  await within(
    "the end of all runs",
    Promise.all(rows.map(async ({ id, workflow, input }) => {
      const outcome = await (await site.client.get(String(id))).outcome();
      const actual = outcome.status === "completed"
        ? { status: outcome.status, result: outcome.result }
        : { status: outcome.status };
      const wanted = expected(String(workflow), JSON.parse(String(input)).n);
      if (JSON.stringify(actual) !== JSON.stringify(wanted)) wrong.push({ id, workflow, wanted, actual, outcome });
    })),
  );
  assertEquals(wrong, []);
  const burned = await site.query(`
    select id, task, attempts
      from runs join ${JOURNAL} on seq = run
     where step = '' and journal.state <> 'skipped' and attempts <> case task when 'third_time' then 3 else 1 end`);
  assertEquals(burned, []);
}

function durable(stdout: string): string[] {
  return [...stdout.matchAll(/^durable (.+)$/gm)].map(([, id]) => id!);
}
