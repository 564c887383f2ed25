/**
 * 10,000 schedules: statements per second while none is due, and while about 170 of them are due each second how late
 * their runs are inserted, beside how late timers are, and how many commits a tick and its run of one task cost together.
 *
 * `deno run -A --no-check bench/schedules.ts` or `bun bench/schedules.ts`; `--store=postgres --schedules=1000
 * --seconds=5`.
 *
 * @module
 */
import { jitterOf } from "../lib/engine/schedules/ticks.ts";
import { createRunner, type Runner, schedule, workflow } from "../mod.ts";
import { choice, flag, quantile, report } from "./measure.ts";
import { emptyStore, type StoreKind } from "./stores.ts";

const SCHEDULES = flag("schedules", 10_000);
const SECONDS = flag("seconds", 15);
const JITTER_MS = 59_000;
/** Statements of `stats()` itself. */
const OF_STATS = 2;
const KINDS = choice<StoreKind>("store", ["sqlite-process", "postgres"]);

const flow = workflow("flow").task("a", { run: () => 1 });

for (const kind of KINDS) {
  await using store = await emptyStore(kind);
  const place = { url: store.url, options: store.options };
  await use(place, "1d", async (runner) => {
    const before = (await runner.stats()).store;
    await pause(SECONDS * 1_000);
    const after = (await runner.stats()).store;
    report({
      bench: "schedules, none due",
      store: kind,
      schedules: SCHEDULES,
      statementsPerSecond: (after.statements - before.statements - OF_STATS) / SECONDS,
      commitsPerSecond: (after.commits - before.commits) / SECONDS,
    });
  });
  await use(place, "1m", async (runner) => {
    // The first tick is the next full minute.
    await pause(60_000 - Date.now() % 60_000);
    const before = (await runner.stats()).store;
    const timersLateMs = await timerLateness(SECONDS * 1_000);
    const after = (await runner.stats()).store;
    const { runs } = await runner.list({ limit: 1_000 });
    const late = runs.map(({ createdAt, schedule, tick }) => createdAt - tick! - jitterOf(schedule!, tick!, JITTER_MS));
    const { started } = (await runner.stats()).runner!.done.ticks;
    report({
      bench: "schedules, due",
      store: kind,
      schedules: SCHEDULES,
      ticksPerSecond: started / SECONDS,
      lateP50Ms: quantile(late, 0.5),
      lateP99Ms: quantile(late, 0.99),
      lateMostMs: quantile(late, 1),
      // Other work of the machine makes every timer late.
      timersLateP99Ms: quantile(timersLateMs, 0.99),
      commitsPerTick: (after.commits - before.commits) / started,
      statementsPerTick: (after.statements - before.statements - OF_STATS) / started,
    });
  });
}

interface Place {
  readonly url: string;
  readonly options: { readonly schema?: string; readonly durability?: "power" | "process" };
}

async function use(
  { url, options }: Place,
  every: "1d" | "1m",
  measure: (runner: Runner<typeof flow>) => Promise<void>,
): Promise<void> {
  const jitter = every === "1d" ? "12h" : JITTER_MS;
  const schedules = Array.from(
    { length: SCHEDULES },
    (_, at) => schedule({ name: `s${at}`, workflow: flow, every, jitter, overlap: "allow" }),
  );
  const runner = await createRunner(url, { ...options, workflows: [flow], schedules, logger: false });
  // Work after the opening of a runner is not part of its idle cost.
  await pause(2_000);
  await measure(runner);
  await runner.stop();
}

/** How late timers of this process are meanwhile, in milliseconds. */
async function timerLateness(ms: number): Promise<readonly number[]> {
  const late: number[] = [];
  for (const end = performance.now() + ms; performance.now() < end;) {
    const began = performance.now();
    await pause(20);
    late.push(Math.max(0, performance.now() - began - 20));
  }
  return late;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
