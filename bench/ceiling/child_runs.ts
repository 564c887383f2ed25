/**
 * What a child run costs beside a run of its own: a map of 1,000 child runs of one task, with a join, next to 1,000 runs
 * of the same workflow that are started together, in turn.
 *
 * `deno run -A bench/ceiling/child_runs.ts` or `bun bench/ceiling/child_runs.ts`; `--children=1000 --rounds=5
 * --store=postgres`.
 *
 * @module
 */
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/logger.ts";
import { openStore } from "../../lib/store/open.ts";
import type { StoreCounters } from "../../lib/store/port/store.ts";
import { flag, median, report } from "../measure.ts";
import { durabilityOf, emptyStore, type StoreKind, STORES } from "../stores.ts";

const CHILDREN = flag("children", 1_000);
const ROUNDS = flag("rounds", 5);

const item = workflow("item", { input: unchecked<string>() })
  .task("work", { run: ({ input }) => Promise.resolve(input) })
  .returns("work");

const parent = workflow("parent")
  .map("items", {
    over: () => Array.from({ length: CHILDREN }, (_, at) => String(at).padStart(8, "0")),
    workflow: item,
    input: ({ item }) => item,
  })
  .task("join", { after: ["items"], run: ({ items }) => items.length })
  .returns("join");

for (const store of STORES) await measure(store);

async function measure(store: StoreKind): Promise<void> {
  const plain: Round[] = [];
  const children: Round[] = [];
  // The first round compiles the code.
  for (let at = 0; at <= ROUNDS; at++) {
    // The sides take turns to be first.
    const sides = [() => round(store, runPlain).then((made) => plain.push(made)), async () => {
      children.push(await round(store, runChildren));
    }];
    for (const side of at % 2 === 0 ? sides : sides.toReversed()) await side();
  }
  const shares = children.slice(1).map(({ ms }, at) => plain[at + 1]!.ms / ms);
  report({
    bench: "child runs",
    store,
    durability: await durabilityOf(store),
    workload: `${CHILDREN} child runs and a join`,
    rounds: ROUNDS,
    share: median(shares),
    leastShare: Math.min(...shares),
    mostShare: Math.max(...shares),
    plainMs: median(plain.slice(1).map(({ ms }) => ms)),
    childrenMs: median(children.slice(1).map(({ ms }) => ms)),
    plainRows: plain.at(-1)!.rows / CHILDREN,
    childRows: children.at(-1)!.rows / CHILDREN,
    plainStatements: plain.at(-1)!.statements,
    childStatements: children.at(-1)!.statements,
    plainCommits: plain.at(-1)!.commits,
    childCommits: children.at(-1)!.commits,
  });
}

/** The cost of one round. */
interface Round extends Pick<StoreCounters, "commits" | "statements" | "rows"> {
  readonly ms: number;
}

type Work = (runner: Awaited<ReturnType<typeof openRunner>>) => Promise<void>;

/** Does the work once on an empty database. */
async function round(kind: StoreKind, work: Work): Promise<Round> {
  await using empty = await emptyStore(kind);
  const { schema, durability = "power" } = empty.options;
  const { store, close } = await openStore(empty.url, { schema, durability, clock: systemClock, logger: silent });
  const runner = await openRunner(store);
  // Opens connections and prepares statements.
  await work(runner);
  const before = store.counters();
  const began = performance.now();
  await work(runner);
  const ms = performance.now() - began;
  const after = store.counters();
  await runner.stop();
  await close();
  return {
    ms,
    commits: after.commits - before.commits,
    statements: after.statements - before.statements,
    rows: after.rows - before.rows,
  };
}

function openRunner(store: Awaited<ReturnType<typeof openStore>>["store"]) {
  return createRunner(store, { workflows: [parent, item] });
}

async function runPlain(runner: Awaited<ReturnType<typeof openRunner>>): Promise<void> {
  const runs = Array.from({ length: CHILDREN }, (_, at) => String(at).padStart(8, "0"));
  const started = await runner.startMany(item, runs);
  await Promise.all(started.map((run) => run.result()));
}

async function runChildren(runner: Awaited<ReturnType<typeof openRunner>>): Promise<void> {
  const run = await runner.start(parent, undefined);
  if (await run.result() !== CHILDREN) throw new Error("the join has not received the results of all child runs");
}
