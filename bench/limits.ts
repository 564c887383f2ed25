/**
 * 1,000 keys of a limit, and a backlog of 100,000 for one of them: how long starts of the other keys wait for their bodies,
 * beside what they wait without the backlog, and how many runs a second go through limits, beside the same workflow
 * without limits.
 *
 * `deno run -A --no-check bench/limits.ts` or `bun bench/limits.ts`; `--store=postgres --what=tasks --backlog=10000
 * --seconds=5 --runs=5000 --rounds=3`.
 *
 * @module
 */
import process from "node:process";
import { createRunner, unchecked, workflow } from "../mod.ts";
import { choice, flag, inFlight, isGiven, median, quantile, report } from "./measure.ts";
import { type EmptyStore, emptyStore, type StoreKind } from "./stores.ts";

const KEYS = flag("keys", 1_000);
const BACKLOG = flag("backlog", 100_000);
/** How long starts are measured on each side. */
const SECONDS = flag("seconds", 10);
/** Milliseconds between two starts of other keys, which take turns. */
const EVERY_MS = 10;
/** How long a body of the key with the backlog holds its place. */
const HOT_MS = 10;
const RUNS = flag("runs", 10_000);
const ROUNDS = flag("rounds", 5);
const FLIGHT = 1_000;
/** How many tasks the runs have whose throughput is measured. The first one has the limits, unless they are of the run. */
const CHAINS = [1, 3];
const STARTED_AT_ONCE = 1_000;
const KINDS = choice<StoreKind>("store", ["sqlite-process", "postgres"]);

/**
 * What is limited. `tasks` and `runs` have places for each key; with `shared` the keys of tasks also share places, all of
 * which the key with the backlog may take.
 */
type What = "tasks" | "runs" | "shared";
const WHATS = isGiven("what") ? choice<What>("what", ["tasks", "runs", "shared"]) : ["tasks", "runs"] as const;

interface Input {
  /** 0 is the key with the backlog. */
  readonly key: number;
  /** A number for a start whose wait is measured; -1 for others. */
  readonly start: number;
}

/** A runner on a store of its own. */
interface Side extends AsyncDisposable {
  /** Starts a run; resolves when it has ended as it should. */
  execute(input: Input): Promise<void>;
  /** Starts runs, which wait in the store. */
  startMany(inputs: readonly Input[]): Promise<void>;
  /** How many permits wait. */
  waiting(): Promise<number>;
  /** When bodies began, by the numbers of starts. */
  readonly begunAt: Map<number, number>;
  /** Lets bodies of the key with the backlog end, or holds them, so that the other side has the machine for itself. */
  let(run: boolean): void;
}

const limit = { name: "each", max: 4, key: ({ input }: { readonly input: Input }) => `key ${input.key}` };
const LIMITS = { tasks: [limit], runs: [limit], shared: [{ name: "all", max: 32 }, { ...limit, max: 32 }] };

for (const kind of KINDS) {
  for (const what of WHATS) {
    await reportWaits(kind, what);
    for (const tasks of CHAINS) await reportThroughput(kind, what, tasks);
  }
}

async function reportWaits(kind: StoreKind, what: What): Promise<void> {
  await using calm = await open(kind, what, { isLimited: true, tasks: 1 });
  await using full = await open(kind, what, { isLimited: true, tasks: 1 });
  const began = performance.now();
  const waiting = await fill(full);
  const fillSeconds = (performance.now() - began) / 1_000;
  const waits = { calm: [] as number[], full: [] as number[] };
  let next = 0;
  // The first round warms up.
  for (let second = -1; second < SECONDS; second++) {
    for (const [name, side] of [["calm", calm], ["full", full]] as const) {
      const found = await waitsFor(side, next, 1_000);
      next += found.length;
      if (second >= 0) waits[name].push(...found);
    }
  }
  const left = await full.waiting();
  report({
    bench: "limits, waits of other keys",
    store: kind,
    what,
    keys: KEYS,
    backlog: waiting,
    fillPerSecond: BACKLOG / fillSeconds,
    p50Ms: quantile(waits.full, 0.5),
    p50WithoutMs: quantile(waits.calm, 0.5),
    p50Ratio: quantile(waits.full, 0.5) / quantile(waits.calm, 0.5),
    p99Ms: quantile(waits.full, 0.99),
    p99WithoutMs: quantile(waits.calm, 0.99),
    meanRatio: mean(waits.full) / mean(waits.calm),
    drainedPerSecond: (waiting - left) / (SECONDS + 1),
  });
}

async function reportThroughput(kind: StoreKind, what: What, tasks: number): Promise<void> {
  await using limited = await open(kind, what, { isLimited: true, tasks });
  await using unlimited = await open(kind, what, { isLimited: false, tasks });
  const wall: number[] = [];
  const cpu: number[] = [];
  const rates: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    // The sides take turns to be first.
    const sides = round % 2 === 0 ? [limited, unlimited] : [unlimited, limited];
    const cost = new Map<Side, { readonly ms: number; readonly cpuMs: number }>();
    for (const side of sides) cost.set(side, await goThrough(side));
    const [ours, theirs] = [cost.get(limited)!, cost.get(unlimited)!];
    if (round < 0) continue;
    wall.push(theirs.ms / ours.ms);
    cpu.push(theirs.cpuMs / ours.cpuMs);
    rates.push(1_000 * RUNS / ours.ms);
  }
  report({
    bench: "limits, throughput",
    store: kind,
    what,
    keys: KEYS,
    tasks,
    runs: RUNS,
    runsPerSecond: median(rates),
    ratio: median(wall),
    ratioLeast: Math.min(...wall),
    ratioMost: Math.max(...wall),
    cpuRatio: median(cpu),
  });
}

/** Runs all keys in turn, with many runs in flight. */
async function goThrough(side: Side): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  let key = 1;
  const cpu = process.cpuUsage();
  const ms = await inFlight(RUNS, FLIGHT, async () => {
    await side.execute({ key: key++ % KEYS || KEYS, start: -1 });
  });
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1_000 };
}

/** Starts runs of the other keys for a while; returns how long each waited for its body, in milliseconds. */
async function waitsFor(side: Side, first: number, ms: number): Promise<readonly number[]> {
  side.let(true);
  const ends: Promise<number>[] = [];
  for (const began = performance.now(); performance.now() - began < ms;) {
    const start = first + ends.length;
    const startedAt = performance.now();
    const run = side.execute({ key: 1 + start % (KEYS - 1), start });
    ends.push(run.then(() => side.begunAt.get(start)! - startedAt));
    await pause(Math.max(0, began + ends.length * EVERY_MS - performance.now()));
  }
  const waits = await Promise.all(ends);
  side.let(false);
  return waits;
}

/** Starts the backlog, and waits until all of it waits for places; returns how much does. */
async function fill(side: Side): Promise<number> {
  const hot = Array.from({ length: STARTED_AT_ONCE }, (): Input => ({ key: 0, start: -1 }));
  for (let at = 0; at < BACKLOG; at += STARTED_AT_ONCE) await side.startMany(hot);
  const { max } = LIMITS.shared[0]!;
  for (;;) {
    const waiting = await side.waiting();
    if (waiting >= BACKLOG - max) return waiting;
    await pause(500);
  }
}

interface Shape {
  readonly isLimited: boolean;
  /** How many tasks follow each other. */
  readonly tasks: number;
}

async function open(kind: StoreKind, what: What, shape: Shape): Promise<Side> {
  const store: EmptyStore = await emptyStore(kind);
  const begunAt = new Map<number, number>();
  let gate = Promise.withResolvers<void>();
  const flow = flowOf(what, shape, async ({ key, start }) => {
    begunAt.set(start, performance.now());
    if (key !== 0) return;
    await pause(HOT_MS);
    await gate.promise;
  });
  const runner = await createRunner(store.url, { ...store.options, workflows: [flow], logger: false });
  return {
    async execute(input) {
      const { status } = await runner.execute(flow, input);
      if (status !== "completed") throw new Error(`a run has ${status}`);
    },
    async startMany(inputs) {
      await runner.startMany(flow, inputs);
    },
    async waiting() {
      return (await runner.stats()).limits.waiting;
    },
    begunAt,
    let(run) {
      if (run) gate.resolve();
      else gate = Promise.withResolvers<void>();
    },
    async [Symbol.asyncDispose]() {
      gate.resolve();
      await runner.stop({ timeout: 0 });
      await store[Symbol.asyncDispose]();
    },
  };
}

function flowOf(what: What, { isLimited, tasks }: Shape, body: (input: Input) => Promise<void> | void) {
  const limits = isLimited ? LIMITS[what] : [];
  const work = workflow("flow", { input: unchecked<Input>(), limits: what === "runs" ? limits : [] })
    .task("work", { limits: what === "runs" ? [] : limits, run: ({ input }) => body(input) });
  if (tasks === 1) return work;
  return work.task("more", { after: ["work"], run: () => {} }).task("last", { after: ["more"], run: () => {} });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
