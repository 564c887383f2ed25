/**
 * In how much memory a map of child runs runs to its end: a tenth of them first, then all. A runner keeps at most 1,000 of
 * them live, so the memory does not depend on their number.
 *
 * `deno run -A bench/growth/many_children.ts` or `bun bench/growth/many_children.ts`; `--children=1000000
 * --store=postgres`.
 *
 * @module
 */
import process from "node:process";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { choice, flag, report } from "../measure.ts";
import { emptyStore, type StoreKind } from "../stores.ts";

const CHILDREN = flag("children", 200_000);
const KINDS = choice<StoreKind>("store", ["sqlite-process", "postgres"]);
const SAMPLE_MS = 50;

const child = workflow("child", { input: unchecked<number>() })
  .task("work", { run: ({ input }) => input })
  .returns("work");

for (const kind of KINDS) {
  const small = await measure(kind, CHILDREN / 10);
  const large = await measure(kind, CHILDREN);
  report({
    bench: "many children",
    store: kind,
    children: CHILDREN,
    childrenPerSecond: 1_000 * CHILDREN / large.ms,
    cpuPerChildRatio: large.cpuMs / small.cpuMs / 10,
    rowsPerChild: large.rows / CHILDREN,
    commitsPerChild: large.commits / CHILDREN,
    rssGrowthMb: large.rssGrowthMb,
    rssGrowthOfTenthMb: small.rssGrowthMb,
  });
}

/** The cost of a map. */
interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
  readonly rows: number;
  readonly commits: number;
  /** The most resident memory in the meantime, above that before. */
  readonly rssGrowthMb: number;
}

async function measure(kind: StoreKind, children: number): Promise<Cost> {
  const family = workflow("family")
    .map("all", {
      over: () => Array.from({ length: children }, (_, n) => n),
      workflow: child,
      input: ({ item }) => item,
    })
    .task("after", { after: ["all"], run: () => "done" })
    .returns("after");
  await using empty = await emptyStore(kind);
  const workflows = [family, child] as const;
  const runner = await createRunner(empty.url, { workflows, maxPayloadBytes: 64 * 2 ** 20, ...empty.options });
  const rssMb = (): number => process.memoryUsage().rss / 2 ** 20;
  const rssBefore = rssMb();
  let most = rssBefore;
  const sampling = setInterval(() => most = Math.max(most, rssMb()), SAMPLE_MS);
  const cpu = process.cpuUsage();
  const began = performance.now();
  const run = await runner.start(family);
  if (await run.result() !== "done") throw new Error("the run has another result");
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(sampling);
  const { store: { rows, commits } } = await runner.stats();
  await runner.stop();
  return { ms, cpuMs: (user + system) / 1_000, rows, commits, rssGrowthMb: Math.max(0, most - rssBefore) };
}
