/**
 * How near to the limit: chains of tasks with many runs in flight, Sluice and the ceiling loop in turn.
 *
 * `deno run -A bench/ceiling/throughput.ts` or `bun bench/ceiling/throughput.ts`; `--runs=20000 --k=3 --flight=1000 --rounds=5
 * --payload=10 --store=postgres`.
 *
 * @module
 */
import process from "node:process";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { body } from "./sqlite.ts";
import { flag, inFlight, median, report } from "../measure.ts";
import { type EmptyStore, emptyStore, STORES } from "../stores.ts";

const RUNS = flag("runs", 10_000);
const K = flag("k", 3);
const FLIGHT = flag("flight", 1_000);
const ROUNDS = flag("rounds", 5);
const PAYLOAD = "x".repeat(flag("payload", 10));

for (const store of STORES) {
  const ratios: number[] = [];
  const cpuRatios: number[] = [];
  const rates = { ceiling: [] as number[], sluice: [] as number[] };
  let commits = 0;
  // One round more than counted: the first warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    await using empty = await emptyStore(store);
    // Each goes first as often as the other.
    const first = round % 2 === 0 ? undefined : await sluiceRate(empty);
    const ceiling = await ceilingRate(empty);
    const sluice = first ?? await sluiceRate(empty);
    if (round === 0) continue;
    rates.ceiling.push(ceiling.rate);
    rates.sluice.push(sluice.rate);
    ratios.push(sluice.rate / ceiling.rate);
    cpuRatios.push(ceiling.cpuMs / sluice.cpuMs);
    commits = sluice.commits;
  }
  report({
    bench: "throughput",
    store,
    k: K,
    inFlight: FLIGHT,
    runs: RUNS,
    ceilingRunsPerSecond: Math.round(median(rates.ceiling)),
    sluiceRunsPerSecond: Math.round(median(rates.sluice)),
    ratio: median(ratios),
    ratioLeast: Math.min(...ratios),
    ratioMost: Math.max(...ratios),
    // The same of this process's CPU time: what to look at while the machine does other work, too.
    cpuRatio: median(cpuRatios),
    cpuRatioLeast: Math.min(...cpuRatios),
    cpuRatioMost: Math.max(...cpuRatios),
    commitsPerTask: commits / (RUNS * K),
  });
}

interface Measured {
  readonly rate: number;
  readonly cpuMs: number;
}

async function ceilingRate(empty: EmptyStore): Promise<Measured> {
  const ceiling = await empty.ceiling();
  const measured = await measure(() => ceiling.run(K, PAYLOAD));
  await ceiling.close();
  return measured;
}

async function sluiceRate({ url, options }: EmptyStore): Promise<Measured & { readonly commits: number }> {
  const start = workflow("chain", { input: unchecked<string>() }).task("t0", { run: ({ input }) => body(input) });
  let chain = start as unknown as typeof start;
  for (let i = 1; i < K; i++) {
    const after = `t${i - 1}`;
    // Built in a loop, so its ids are no literals: the untyped way of writing what the builder does.
    const add = chain.task as unknown as (id: string, task: unknown) => typeof start;
    chain = add.call(chain, `t${i}`, { after: [after], run: (args: Record<string, string>) => body(args[after]!) });
  }
  await using runner = await createRunner(url, { ...options, workflows: [chain], maxRuns: FLIGHT });
  const before = (await runner.stats()).store.commits;
  const measured = await measure(async () => {
    const outcome = await runner.execute(chain, PAYLOAD);
    if (outcome.status !== "completed") throw new Error(outcome.status);
  });
  return { ...measured, commits: (await runner.stats()).store.commits - before };
}

async function measure(work: () => Promise<unknown>): Promise<Measured> {
  const before = process.cpuUsage();
  const ms = await inFlight(RUNS, FLIGHT, work);
  const { user, system } = process.cpuUsage(before);
  return { rate: RUNS / ms * 1_000, cpuMs: (user + system) / 1_000 };
}
