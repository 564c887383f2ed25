/**
 * Five processes race for the ticks of a schedule and are killed at any moment. The tables show that each tick was
 * decided once: it has one run, or is counted. SLUICE_FAULT_SECONDS says for how long.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { createClient, type Overlap } from "../../mod.ts";
import { type Child, spawn } from "../child.ts";
import { emptyStore } from "../empty_store.ts";
import { randomTest } from "../harness.ts";
import type { Random } from "../random.ts";
import { until } from "../within.ts";

const SECONDS = Number(process.env["SLUICE_FAULT_SECONDS"] ?? 5);
const RUNNERS = 5;
const EVERY_MS = 200;

/** What the tables hold after a race. */
interface Race {
  /** The first tick that was due, and the first that was not decided. */
  readonly from: number;
  readonly until: number;
  /** Ticks that still wait for the end of a run. */
  readonly queued: readonly number[];
  readonly counts: {
    readonly started: number;
    readonly overlapped: number;
    readonly missed: number;
    readonly failed: number;
  };
  readonly runs: readonly {
    readonly tick: number;
    readonly created: number;
    readonly ended: number | null;
    readonly state: string;
  }[];
}

interface Runner {
  readonly child: Child;
  readonly ready: Promise<void>;
}

async function race(overlap: Overlap, random: Random): Promise<Race> {
  await using place = emptyStore();
  const { url, options } = place;
  const start = (): Runner => {
    const config = JSON.stringify({ url, options, overlap, everyMs: EVERY_MS });
    const child = spawn("crash/schedule_runner.ts", [config]);
    // Not if it is killed before.
    return { child, ready: child.until("ready").then(() => {}, () => {}) };
  };
  const runners: Runner[] = [start()];
  await runners[0]!.ready;
  const client = await createClient(url, { ...options });
  const first = await client.schedules.get("raced");
  const from = first.nextTick! - EVERY_MS * (first.queued.length + first.counts.started + first.counts.overlapped);
  while (runners.length < RUNNERS) runners.push(start());
  try {
    for (const end = Date.now() + SECONDS * 1_000; Date.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 300 + random.next() * 700));
      const at = random.below(RUNNERS);
      const { child } = runners[at]!;
      child.kill("SIGKILL");
      await child.exited;
      runners[at] = start();
    }
    for (const { ready } of runners) await ready;
    await client.schedules.pause("raced");
    // With the queue, the runs of the ticks that wait are started one after another; the rest is enough to see.
    const { nextTick: _, queued, counts } = await client.schedules.get("raced");
    await until(async () => (await client.stats()).runs.running === 0);
    const [row] = await place.query("select progress from schedules");
    const runs = await place.query(`
      select tick, created_at as created, ended_at as ended, state
        from runs
       where schedule = 'raced'
       order by tick`);
    return {
      from,
      until: Number(JSON.parse(String(row?.["progress"])).nextTick),
      queued,
      counts,
      runs: runs.map(({ tick, created, ended, state }) => ({
        tick: Number(tick),
        created: Number(created),
        ended: ended === null ? null : Number(ended),
        state: String(state),
      })),
    };
  } finally {
    await client.stop();
    for (const { child } of runners) child.kill("SIGKILL");
    await Promise.all(runners.map(({ child }) => child.exited));
  }
}

function allTicks({ from, until }: Race): readonly number[] {
  return Array.from({ length: (until - from) / EVERY_MS }, (_, at) => from + at * EVERY_MS);
}

/** Each tick has one run, waits, or is counted; none is both, and none is missing. */
function checkDecisions(race: Race): void {
  const ticks = race.runs.map(({ tick }) => tick);
  const all = allTicks(race);
  assert(all.length > 10 && ticks.length > 1, `${all.length} ticks, ${ticks.length} runs`);
  assertEquals(ticks, [...new Set(ticks)]);
  assertEquals(ticks.filter((tick) => !all.includes(tick)), []);
  assertEquals(race.counts.started, ticks.length);
  assertEquals(race.counts.started + race.counts.overlapped + race.queued.length, all.length);
  assertEquals([race.counts.missed, race.counts.failed], [0, 0]);
}

randomTest("killed at any moment, five runners start one run for each tick (allow)", async (random) => {
  const result = await race("allow", random);
  checkDecisions(result);
  assertEquals(result.runs.map(({ tick }) => tick), allTicks(result));
});

randomTest("killed at any moment, five runners start no run while another has not ended (skip)", async (random) => {
  const result = await race("skip", random);
  checkDecisions(result);
  checkNoOverlap(result);
});

randomTest(
  "killed at any moment, five runners start the runs of all ticks one after another (queue)",
  async (random) => {
    const result = await race("queue", random);
    checkDecisions(result);
    checkNoOverlap(result);
    assertEquals(result.counts.overlapped, 0);
    const started = result.runs.map(({ tick }) => tick);
    assertEquals([...started, ...result.queued], allTicks(result));
  },
);

randomTest("killed at any moment, five runners leave at most one run uncancelled (cancelPrevious)", async (random) => {
  const result = await race("cancelPrevious", random);
  checkDecisions(result);
  // The run before each is cancelled before it is inserted, unless it had ended.
  const left = result.runs.slice(0, -1).filter(({ state }) => state !== "cancelled" && state !== "completed");
  assertEquals(left, []);
});

function checkNoOverlap({ runs }: Race): void {
  const overlapping = runs.filter(({ created }, at) => at > 0 && !((runs[at - 1]!.ended ?? Infinity) <= created));
  assertEquals(overlapping, []);
}
