/**
 * Holds runs and tells what they cost; each case in a process of its own, so that one does not find the memory of
 * another. The arguments are the case, the store's URL and what its opening needs besides, as JSON.
 */
import process from "node:process";
import { createRunner, type DynamicWorkflow, dynamicWorkflow } from "../../mod.ts";
import { flag } from "../measure.ts";

const gate = Promise.withResolvers<void>();
const RUNS = flag("runs", 10_000);
const [what, url, options] = process.argv.slice(2) as [string, string, string];
// A runner that held none would not have loaded what this measures.
const before = await warmRss();
let most = before;
const sampling = setInterval(() => most = Math.max(most, process.memoryUsage().rss), 10);

switch (what) {
  case "fill":
    await fill();
    break;
  case "not served":
    await hold(waiting("another"), { maxRuns: 1_000, start: 0, bodies: 0 });
    break;
  case "served":
    await hold(waiting("waiting"), { maxRuns: 1_000, start: 0, bodies: 1_000 });
    break;
  case "in flight":
    await hold(waiting("waiting"), { maxRuns: RUNS, start: RUNS, bodies: RUNS });
    break;
}
// Bodies are still waiting.
process.exit(0);

function waiting<const Name extends string>(name: Name): DynamicWorkflow<Name> {
  return dynamicWorkflow({
    name,
    tasks: [
      { id: "before", run: ({ input }) => input },
      { id: "wait", after: ["before"], run: () => gate.promise },
      { id: "after", after: ["wait"], run: () => 1 },
    ],
  });
}

/** Runs that no runner has begun. */
async function fill(): Promise<void> {
  const workflow = waiting("waiting");
  // Full already, so that what it starts is left in the store.
  const runner = await createRunner(url, { ...JSON.parse(options), workflows: [workflow], maxRuns: 1 });
  for (let left = RUNS; left > 0; left -= 1_000) {
    const inputs = Array.from({ length: Math.min(left, 1_000) }, (_, at) => `input ${at}`);
    await runner.startMany(workflow, inputs, { delay: "3s" });
  }
  await runner.stop({ timeout: 0 });
}

async function hold(
  workflow: DynamicWorkflow<string>,
  { maxRuns, start, bodies }: { readonly maxRuns: number; readonly start: number; readonly bodies: number },
): Promise<void> {
  const runner = await createRunner(url, {
    ...JSON.parse(options),
    workflows: [workflow],
    maxRuns,
    concurrency: maxRuns,
  });
  for (let left = start; left > 0; left -= 1_000) {
    await runner.startMany(workflow, Array.from({ length: Math.min(left, 1_000) }, (_, at) => `input ${at}`));
  }
  // At least long enough for a claim or two.
  let stats = await runner.stats();
  for (let looks = 0; looks < 5 || (looks < 100 && stats.runner!.active < bodies); looks++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    stats = await runner.stats();
  }
  clearInterval(sampling);
  console.log(JSON.stringify({
    pending: stats.runs.pending,
    held: stats.runner!.runs,
    bodies: stats.runner!.active,
    rssGrowthMb: (process.memoryUsage().rss - before) / 2 ** 20,
    mostGrowthMb: (most - before) / 2 ** 20,
  }));
}

/** The memory of a process that has run something. */
async function warmRss(): Promise<number> {
  const workflow = dynamicWorkflow({ name: "warm", tasks: [{ id: "a", run: () => 1 }] });
  await using runner = await createRunner("sqlite::memory:", { workflows: [workflow] });
  await runner.execute(workflow);
  return process.memoryUsage().rss;
}
