/**
 * What an item of a map costs: a map of 10,000 items with a join, 64 of them in flight, next to the ceiling's loop, which
 * records as many results with as many in flight, in turn. `share` compares rows per second; `shareOfUnbounded` compares
 * with a loop that has all results in flight at once, so that its commits are as large as the machine allows.
 *
 * `deno run -A bench/ceiling/map.ts` or `bun bench/ceiling/map.ts`; `--items=10000 --flight=64 --rounds=9
 * --store=postgres`.
 *
 * @module
 */
import process from "node:process";
import { createRunner, workflow } from "../../mod.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/logger.ts";
import { openStore } from "../../lib/store/open.ts";
import { flag, median, report } from "../measure.ts";
import { durabilityOf, emptyStore, type StoreKind, STORES } from "../stores.ts";
import { body, type Counters } from "./sqlite.ts";

const ITEMS = flag("items", 10_000);
const FLIGHT = flag("flight", 64);
const ROUNDS = flag("rounds", 9);
const PAYLOAD = "12345678";

const map = workflow("map")
  .map("items", {
    over: () => Array.from({ length: ITEMS }, () => PAYLOAD),
    concurrency: FLIGHT,
    run: ({ item }) => body(item),
  })
  .task("join", { after: ["items"], run: ({ items }) => items.length })
  .returns("join");

for (const store of STORES) await measure(store);

/** The cost of one round. */
interface Round extends Counters {
  readonly ms: number;
  readonly cpuMs: number;
}

async function measure(kind: StoreKind): Promise<void> {
  await using empty = await emptyStore(kind);
  const { schema, durability = "power" } = empty.options;
  const { store, close } = await openStore(empty.url, { schema, durability, clock: systemClock, logger: silent });
  const runner = await createRunner(store, { workflows: [map] });
  const ceiling = await empty.ceiling();
  const sides = {
    sluice: () =>
      roundOf(store, async () => {
        const run = await runner.start(map);
        if (await run.result() !== ITEMS) throw new Error("the join has not received all results");
      }),
    ceiling: () => roundOf(ceiling, () => ceiling.run([1, ITEMS, 1], PAYLOAD, FLIGHT)),
    unbounded: () => roundOf(ceiling, () => ceiling.run([1, ITEMS, 1], PAYLOAD)),
  };
  const rounds: Record<keyof typeof sides, Round[]> = { sluice: [], ceiling: [], unbounded: [] };
  const names = ["sluice", "ceiling", "unbounded"] as const;
  // The first round compiles the code. The sides take turns to be first.
  for (let at = 0; at <= ROUNDS; at++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(at + turn) % names.length]!;
      const round = await sides[name]();
      if (at > 0) rounds[name].push(round);
    }
  }
  await runner.stop();
  await close();
  await ceiling.close();
  const { sluice, ceiling: bounded, unbounded } = rounds;
  const shares = sluice.map((round, at) => rowsPerMs(round) / rowsPerMs(bounded[at]!));
  const last = sluice.at(-1)!;
  report({
    bench: "map",
    store: kind,
    durability: await durabilityOf(kind),
    workload: `${ITEMS} items and a join`,
    inFlight: FLIGHT,
    rounds: ROUNDS,
    share: median(shares),
    leastShare: Math.min(...shares),
    mostShare: Math.max(...shares),
    shareOfUnbounded: median(sluice.map((round, at) => rowsPerMs(round) / rowsPerMs(unbounded[at]!))),
    itemsPerSecond: 1_000 * ITEMS / median(sluice.map(({ ms }) => ms)),
    cpuUsPerItem: 1_000 * median(sluice.map(({ cpuMs }) => cpuMs)) / ITEMS,
    ceilingCpuUsPerItem: 1_000 * median(bounded.map(({ cpuMs }) => cpuMs)) / ITEMS,
    unboundedCpuUsPerItem: 1_000 * median(unbounded.map(({ cpuMs }) => cpuMs)) / ITEMS,
    rowsPerItem: last.rows / ITEMS,
    commits: last.commits,
    statements: last.statements,
    ceilingCommits: bounded.at(-1)!.commits,
  });
}

async function roundOf(side: { counters(): Counters }, work: () => Promise<void>): Promise<Round> {
  const before = side.counters();
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const after = side.counters();
  return {
    ms,
    cpuMs: (user + system) / 1_000,
    commits: after.commits - before.commits,
    statements: after.statements - before.statements,
    rows: after.rows - before.rows,
  };
}

function rowsPerMs({ rows, ms }: Round): number {
  return rows / ms;
}
