/**
 * Fan-out and join: one task, many that depend on it, one that depends on all of those; and what that costs the store.
 *
 * `deno run -A bench/ceiling/fan.ts` or `bun bench/ceiling/fan.ts`; `--width=100 --runs=300 --rounds=3 --store=postgres`.
 *
 * @module
 */
import { createRunner } from "../../mod.ts";
import { flag, inFlight, quantile, report } from "../measure.ts";
import { emptyStore, type StoreKind, STORES } from "../stores.ts";
import { complete, fan } from "../workloads.ts";

const WIDTH = flag("width", 100);
const RUNS = flag("runs", 300);
const ROUNDS = flag("rounds", 3);

for (const width of [10, WIDTH]) {
  for (const store of STORES) {
    for (const flight of [1, 100]) await measure(width, store, flight);
  }
}

async function measure(width: number, store: StoreKind, flight: number): Promise<void> {
  await using empty = await emptyStore(store);
  const workflow = fan(width);
  await using runner = await createRunner(empty.url, { ...empty.options, workflows: [workflow] });
  const payload = "x".repeat(10);
  await inFlight(Math.max(20, flight), flight, () => complete(runner, workflow, payload));

  const runMs: number[] = [];
  const roundMs: number[] = [];
  const before = (await runner.stats()).store;
  for (let round = 0; round < ROUNDS; round++) {
    const ms = await inFlight(RUNS, flight, async () => {
      const began = performance.now();
      await complete(runner, workflow, payload);
      runMs.push(performance.now() - began);
    });
    roundMs.push(ms);
  }
  const after = (await runner.stats()).store;
  const tasks = RUNS * ROUNDS * (width + 2);
  report({
    bench: `fan 1+${width}+1`,
    store,
    inFlight: flight,
    runs: RUNS * ROUNDS,
    p50Ms: quantile(runMs, 0.5),
    p95Ms: quantile(runMs, 0.95),
    tasksPerSecond: Math.round(RUNS * (width + 2) / quantile(roundMs, 0.5) * 1_000),
    commitsPerTask: (after.commits - before.commits) / tasks,
    statementsPerTask: (after.statements - before.statements) / tasks,
    rowsPerTask: (after.rows - before.rows) / tasks,
  });
}
