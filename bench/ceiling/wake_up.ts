/**
 * How long until a runner in another process notices a run that a client starts here, and until its result is back.
 *
 * `deno run -A bench/ceiling/wake_up.ts` or `bun bench/ceiling/wake_up.ts`; `--wakes=200 --k=3 --store=postgres`.
 *
 * @module
 */
import { createClient } from "../../mod.ts";
import { spawn } from "../../tests/child.ts";
import { epochMs, flag, quantile, report } from "../measure.ts";
import { emptyStore, type StoreKind, STORES } from "../stores.ts";
import { chain } from "../workloads.ts";

const WAKES = flag("wakes", 200);
const K = flag("k", 3);
const PAYLOAD = "x".repeat(10);

for (const store of STORES) if (store !== "sqlite-power") await wake(store);

/** A client here starts runs, a runner in a child process executes them. */
async function wake(store: StoreKind): Promise<void> {
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
    workload: `chain of ${K}`,
    runs: WAKES,
    ...spread("firstBody", bodyMs),
    ...spread("result", resultMs),
  });
}

function spread(what: string, values: readonly number[]): Record<string, number> {
  return {
    [`${what}P50Ms`]: quantile(values, 0.5),
    [`${what}P95Ms`]: quantile(values, 0.95),
    [`${what}P99Ms`]: quantile(values, 0.99),
  };
}
