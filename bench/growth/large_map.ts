/**
 * Whether a map of a million items runs to its end, and in how much memory: items that return a number at once, and a
 * task after the map that does not read their outputs. Next to it a map of a tenth as many items, for the time of an item.
 *
 * `deno run -A bench/growth/large_map.ts` or `bun bench/growth/large_map.ts`; `--items=1000000 --store=postgres`.
 *
 * @module
 */
import process from "node:process";
import { createRunner, workflow } from "../../mod.ts";
import { choice, flag, report } from "../measure.ts";
import { emptyStore, type StoreKind } from "../stores.ts";

const ITEMS = flag("items", 1_000_000);
const KINDS = choice<StoreKind>("store", ["sqlite-process", "postgres"]);
const SAMPLE_MS = 50;

for (const kind of KINDS) {
  await measure(kind, ITEMS / 10);
  const small = await measure(kind, ITEMS / 10);
  const large = await measure(kind, ITEMS);
  report({
    bench: "large map",
    store: kind,
    items: ITEMS,
    itemsPerSecond: 1_000 * ITEMS / large.ms,
    timePerItemRatio: large.ms / small.ms / 10,
    rowsPerItem: large.rows / ITEMS,
    rssGrowthMb: large.rssGrowthMb,
  });
}

/** The cost of a map. */
interface Cost {
  readonly ms: number;
  readonly rows: number;
  /** The most resident memory in the meantime, above that before. */
  readonly rssGrowthMb: number;
}

async function measure(kind: StoreKind, items: number): Promise<Cost> {
  const wide = workflow("wide")
    .map("items", { over: () => Array.from({ length: items }, (_, n) => n), run: ({ item }) => item })
    .task("after", { after: ["items"], run: () => "done" })
    .returns("after");
  await using empty = await emptyStore(kind);
  const runner = await createRunner(empty.url, { workflows: [wide], maxPayloadBytes: 64 * 2 ** 20, ...empty.options });
  const rssMb = (): number => process.memoryUsage().rss / 2 ** 20;
  const rssBefore = rssMb();
  let most = rssBefore;
  const sampling = setInterval(() => most = Math.max(most, rssMb()), SAMPLE_MS);
  const began = performance.now();
  const run = await runner.start(wide);
  if (await run.result() !== "done") throw new Error("the run has another result");
  const ms = performance.now() - began;
  clearInterval(sampling);
  const { store: { rows } } = await runner.stats();
  await runner.stop();
  return { ms, rows, rssGrowthMb: Math.max(0, most - rssBefore) };
}
