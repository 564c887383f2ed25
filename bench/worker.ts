/**
 * What the worker protocol costs: from the start of the bundled engine until it is ready, and calls of bodies per second by
 * a worker that does nothing else.
 *
 * `deno run -A bench/worker.ts`; `--rounds=10`, `--runs=5000`, `--flight=200`.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleWorker } from "../scripts/worker_bundle.ts";
import { type StartedEngine, startEngine } from "../tests/worker/start_engine.ts";
import { connectWorker, type TestWorker } from "../tests/worker/test_worker.ts";
import { flag, inFlight, median, report } from "./measure.ts";

const ROUNDS = flag("rounds", 10);
const RUNS = flag("runs", 5_000);
const FLIGHT = flag("flight", 200);

const CHAIN = {
  name: "chain",
  version: "1",
  tasks: [{ id: "a", run: { fn: "body" } }, { id: "b", after: ["a"], run: { fn: "body" } }],
};

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
try {
  const bundle = join(folder, "engine.js");
  bundleWorker(bundle);
  const readyMs: number[] = [];
  // The first round fills the caches of Deno and the system.
  for (let round = 0; round <= ROUNDS; round++) {
    const began = performance.now();
    await using engine = start(bundle);
    await openWorker(engine, `sqlite://${join(folder, `${round}.db`)}`);
    if (round > 0) readyMs.push(performance.now() - began);
  }
  await using engine = start(bundle);
  const worker = await openWorker(engine, `sqlite://${join(folder, "calls.db")}`);
  const execute = (): Promise<unknown> => worker.call("execute", { workflow: "chain", input: { n: 1 } });
  await inFlight(RUNS / 10, FLIGHT, execute);
  const ms = await inFlight(RUNS, FLIGHT, execute);
  report({
    bench: "worker",
    rounds: ROUNDS,
    readyMs: median(readyMs),
    readyMsLeast: Math.min(...readyMs),
    readyMsMost: Math.max(...readyMs),
    runs: RUNS,
    inFlight: FLIGHT,
    callsPerSecond: Math.round(RUNS * CHAIN.tasks.length / ms * 1_000),
  });
} finally {
  rmSync(folder, { recursive: true });
}

function start(bundle: string): StartedEngine {
  return startEngine(bundle, ["--no-config", "--no-lock"]);
}

async function openWorker({ transport }: StartedEngine, url: string): Promise<TestWorker> {
  const worker = await connectWorker(transport, { body: () => 1 });
  await worker.call("open", { url, workflows: [CHAIN] });
  return worker;
}
