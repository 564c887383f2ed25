/**
 * 10,000 schedules: statements per second while none is due, and how late runs are inserted while about 160 of them are
 * due each second. `deno run -A --no-check bench/schedules.ts [Postgres URL]`; without a URL on an SQLite file.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { jitterOf } from "../lib/engine/schedules/ticks.ts";
import { createRunner, type Runner, schedule, workflow } from "../mod.ts";

const SCHEDULES = 10_000;
const SECONDS = 15;

const flow = workflow("flow").task("a", { run: () => 1 });
const dir = mkdtempSync(join(tmpdir(), "sluice-schedules-"));
const url = process.argv[2] ?? `sqlite://${join(dir, "app.db")}`;
try {
  await use("1d", async (runner) => {
    const before = (await runner.stats()).store.statements;
    await pause(SECONDS * 1_000);
    const statements = (await runner.stats()).store.statements - before;
    console.log(`idle: ${(statements / SECONDS).toFixed(2)} statements/s`);
  });
  await use("1m", async (runner) => {
    // The first tick is the next full minute.
    await pause(60_000 - Date.now() % 60_000 + SECONDS * 1_000);
    const { runs } = await runner.list({ limit: 1_000 });
    const late = runs.map(({ createdAt, schedule, tick }) => createdAt - tick! - jitterOf(schedule!, tick!, 59_000))
      .sort((a, b) => a - b);
    const at = (part: number): number | undefined => late[Math.floor((late.length - 1) * part)];
    console.log(`due: ${late.length} runs, late p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`);
  });
} finally {
  rmSync(dir, { recursive: true });
}

async function use(every: "1d" | "1m", measure: (runner: Runner<typeof flow>) => Promise<void>): Promise<void> {
  const jitter = every === "1d" ? "12h" : "59s";
  const schedules = Array.from(
    { length: SCHEDULES },
    (_, at) => schedule({ name: `s${at}`, workflow: flow, every, jitter, overlap: "allow" }),
  );
  const runner = await createRunner(url, { workflows: [flow], schedules, logger: false });
  // What opening a runner sets off is not its idle cost.
  await pause(2_000);
  await measure(runner);
  await runner.stop();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
