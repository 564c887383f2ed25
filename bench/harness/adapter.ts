/**
 * Sluice in the benchmark harness of github.com/hardbyte/postgresql-job-queue-benchmarking: a process that inserts jobs
 * at a rate, executes them, and prints samples as lines of JSON until it receives SIGTERM. The contract is that of the
 * harness (CONTRIBUTING_ADAPTERS.md there); `driver.ts` runs it here.
 *
 * `DATABASE_URL=… PRODUCER_RATE=800 WORKER_COUNT=32 deno run -A bench/harness/adapter.ts`
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { createRunner, type Runner, unchecked, workflow } from "../../mod.ts";
import { createRollingHistogram, WINDOW_S } from "./rolling.ts";

interface Job {
  readonly enqueuedAt: number;
  readonly padding: string;
}

interface Manifest {
  readonly system: string;
  readonly event_tables: readonly string[];
  readonly extensions: readonly string[];
}

const manifest: Manifest = JSON.parse(readFileSync(new URL("adapter.json", import.meta.url), "utf8"));
const { version }: { readonly version: string } = JSON.parse(
  readFileSync(new URL("../../deno.json", import.meta.url), "utf8"),
);

const url = process.env["DATABASE_URL"];
if (url === undefined) throw new Error("DATABASE_URL must be set");
const scenario = process.env["SCENARIO"] ?? "long_horizon";
if (scenario !== "long_horizon") throw new Error(`SCENARIO=${scenario}: there is only long_horizon`);
const mode = process.env["PRODUCER_MODE"] ?? "fixed";
const fixedRate = number("PRODUCER_RATE", 800);
const targetDepth = number("TARGET_DEPTH", 1_000);
const workers = number("WORKER_COUNT", 32);
const workMs = number("JOB_WORK_MS", 1);
const sampleS = number("SAMPLE_EVERY_S", 5);
const batchMs = number("PRODUCER_BATCH_MS", 10);
const batchMost = number("PRODUCER_BATCH_MAX", 128);
const instance = number("BENCH_INSTANCE_ID", 0);
const padding = "x".repeat(Math.max(0, number("JOB_PAYLOAD_BYTES", 256) - 40));

const latencies = {
  producer: createRollingHistogram(),
  claim: createRollingHistogram(),
  end_to_end: createRollingHistogram(),
};
let enqueued = 0;
let completed = 0;
let targetRate = fixedRate;

const job = workflow("job", { input: unchecked<Job>() }).task("work", {
  version: "1",
  async run({ input }) {
    latencies.claim.add(Date.now() - input.enqueuedAt);
    if (workMs > 0) await new Promise((resolve) => setTimeout(resolve, workMs));
    latencies.end_to_end.add(Date.now() - input.enqueuedAt);
    completed++;
  },
});

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

const runner: Runner<typeof job> = await createRunner(url, {
  schema: "sluice",
  workflows: [job],
  concurrency: workers,
  // The harness runs for hours, and its other systems delete jobs or archive them.
  retention: "5m",
});
print({
  kind: "descriptor",
  system: manifest.system,
  event_tables: manifest.event_tables,
  extensions: manifest.extensions,
  version,
  schema_version: "1",
  db_name: new URL(url).pathname.slice(1),
  started_at: new Date().toISOString(),
});
const work = [produce(), sample()];
await new Promise((resolve) => stopping.signal.addEventListener("abort", resolve, { once: true }));
await Promise.all(work);
// The harness kills processes that have not ended after five seconds.
await runner.stop({ timeout: "3s" });
process.exit();

async function produce(): Promise<void> {
  for (let dueAt = performance.now(); !stopping.signal.aborted;) {
    targetRate = givenRate();
    const count = mode === "depth-target"
      ? Math.min(batchMost, targetDepth - await depth())
      : Math.min(batchMost, Math.floor((performance.now() - dueAt) * targetRate / 1_000));
    if (count > 0) {
      const began = performance.now();
      const enqueuedAt = Date.now();
      await runner.startMany(job, Array.from({ length: count }, () => ({ enqueuedAt, padding })));
      const eachMs = (performance.now() - began) / count;
      for (let one = 0; one < count; one++) latencies.producer.add(eachMs);
      enqueued += count;
    }
    // Not more than a second is made up for, after a server that was away.
    dueAt = targetRate === 0
      ? performance.now()
      : Math.max(dueAt + Math.max(0, count) * 1_000 / targetRate, performance.now() - 1_000);
    await pause(batchMs);
  }
}

async function sample(): Promise<void> {
  let before = { enqueued, completed };
  // At the same moments as all other systems.
  await pause(sampleS * 1_000 - Date.now() % (sampleS * 1_000));
  while (!stopping.signal.aborted) {
    const t = new Date().toISOString();
    const percentiles = Object.entries(latencies).flatMap(([name, histogram]) =>
      [50, 95, 99].map((p) => [`${name}_p${p}_ms`, histogram.quantile(p / 100), WINDOW_S] as const)
    );
    const rates = [
      ["enqueue_rate", (enqueued - before.enqueued) / sampleS, sampleS],
      ["completion_rate", (completed - before.completed) / sampleS, sampleS],
    ] as const;
    before = { enqueued, completed };
    // One process reports the figures of the whole system.
    const observed = instance === 0
      ? [["queue_depth", await depth(), 0], ["producer_target_rate", targetRate, 0]] as const
      : [];
    for (const [metric, value, window_s] of [...percentiles, ...rates, ...observed]) {
      print({
        t,
        system: manifest.system,
        kind: "adapter",
        subject_kind: "adapter",
        subject: "",
        metric,
        value,
        window_s,
      });
    }
    await pause(sampleS * 1_000 - Date.now() % (sampleS * 1_000));
  }
}

/** Jobs that no runner has claimed. */
async function depth(): Promise<number> {
  return (await runner.stats()).runs.pending;
}

/** The rate of a file that the harness may change, or else the fixed one. */
function givenRate(): number {
  const file = process.env["PRODUCER_RATE_CONTROL_FILE"];
  if (file === undefined) return fixedRate;
  try {
    const rate = Number.parseFloat(readFileSync(file, "utf8"));
    return Number.isFinite(rate) ? rate : fixedRate;
  } catch {
    return fixedRate;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    stopping.signal.addEventListener("abort", end, { once: true });

    function end(): void {
      clearTimeout(timer);
      stopping.signal.removeEventListener("abort", end);
      resolve();
    }
  });
}

function print(record: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ ...record, instance_id: instance }));
}

function number(name: string, otherwise: number): number {
  const given = process.env[name];
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name}=${given} is not a number`);
  return value;
}
