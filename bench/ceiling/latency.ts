/**
 * How long one run takes on an idle runner: chains of tasks one at a time, Sluice and the ceiling loop in turn; and how
 * long until a runner in another process notices a run.
 *
 * `deno run -A bench/ceiling/latency.ts` or `bun bench/ceiling/latency.ts`; `--runs=2000 --k=3 --wakes=200
 * --store=postgres`.
 *
 * @module
 */
import { createClient, createRunner } from "../../mod.ts";
import { spawn } from "../../tests/child.ts";
import { flag, quantile, report } from "../measure.ts";
import { emptyStore, type StoreKind, STORES } from "../stores.ts";
import { chain, complete } from "../workloads.ts";

const RUNS = flag("runs", 2_000);
const WAKES = flag("wakes", 200);
const K = flag("k", 3);
const WARM_UP = Math.ceil(RUNS / 5);
const PAYLOAD = "x".repeat(10);

for (const store of STORES) await idle(store);
for (const store of STORES) if (store !== "sqlite-power") await otherProcess(store);

async function idle(store: StoreKind): Promise<void> {
  await using empty = await emptyStore(store);
  const workflow = chain(K);
  await using runner = await createRunner(empty.url, { ...empty.options, workflows: [workflow] });
  const ceiling = await empty.ceiling();
  const sluiceMs: number[] = [];
  const ceilingMs: number[] = [];
  for (let i = 0; i < WARM_UP + RUNS; i++) {
    const loop = await timed(() => ceiling.run(K, PAYLOAD));
    const run = await timed(() => complete(runner, workflow, PAYLOAD));
    if (i < WARM_UP) continue;
    ceilingMs.push(loop);
    sluiceMs.push(run);
  }
  await ceiling.close();
  report({
    bench: "latency",
    store,
    k: K,
    runs: RUNS,
    ...spread("sluice", sluiceMs),
    ...spread("ceiling", ceilingMs),
    ratio: quantile(sluiceMs, 0.5) / quantile(ceilingMs, 0.5),
  });
}

/** A client here starts runs, a runner in a child process executes them. */
async function otherProcess(store: StoreKind): Promise<void> {
  await using empty = await emptyStore(store);
  const workflow = chain(K);
  await using child = spawn("../bench/children/runner.ts", [empty.url, JSON.stringify(empty.options), `--k=${K}`]);
  await child.until("ready");
  await using client = await createClient(empty.url, { ...empty.options, workflows: [workflow] });
  const bodyMs: number[] = [];
  const resultMs: number[] = [];
  const warmUp = Math.ceil(WAKES / 10);
  for (let i = 0; i < warmUp + WAKES; i++) {
    const run = await client.start(workflow, PAYLOAD);
    const started = epochMs();
    await run.result();
    const ended = epochMs();
    const began = Number(await child.line());
    if (i < warmUp) continue;
    bodyMs.push(began - started);
    resultMs.push(ended - started);
  }
  report({
    bench: "wake-up of another process",
    store,
    k: K,
    runs: WAKES,
    ...spread("firstBody", bodyMs),
    ...spread("result", resultMs),
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** The same in all processes of a machine, finer than a millisecond. */
function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

function spread(what: string, values: readonly number[]): Record<string, number> {
  return {
    [`${what}P50Ms`]: quantile(values, 0.5),
    [`${what}P95Ms`]: quantile(values, 0.95),
    [`${what}P99Ms`]: quantile(values, 0.99),
  };
}
