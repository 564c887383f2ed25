/**
 * Five processes race for the ticks of schedules and are killed at random moments. The tables and the effect log show
 * that each tick was handled once: it has one run, or is counted. SLUICE_FAULT_SECONDS sets the duration.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import type { CatchUp, Overlap } from "../../lib/definition/schedule.ts";
import type { ScheduleCounts } from "../../lib/engine/schedules/stored.ts";
import { createClient } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { randomTest } from "../harness.ts";
import type { Random } from "../random.ts";
import { tempDir } from "../temp_dir.ts";
import { until } from "../within.ts";
import { type Line, RACE_MS, type Racers, readLines, reported, startRacers, wrongRuns } from "./racers.ts";
import type { ScheduleRacerConfig } from "./schedule_runner.ts";

/** A tick is missed if no runner starts its run within this time, in milliseconds. */
const MISSED_AFTER_MS = 10_000;

/** The run of a tick. */
interface TickRun {
  readonly tick: number;
  readonly id: string;
  readonly created: number;
  readonly ended: number | null;
  readonly state: string;
}

/** The rows of one schedule after a race. */
interface Raced {
  readonly name: string;
  /** All ticks that were due. */
  readonly ticks: readonly number[];
  /** Ticks that wait for the end of a run. */
  readonly queued: readonly number[];
  readonly counts: ScheduleCounts;
  readonly runs: readonly TickRun[];
}

interface Race {
  readonly schedules: readonly Raced[];
  readonly lines: readonly Line[];
}

type Rules = Pick<ScheduleRacerConfig, "overlap" | "catchUp" | "schedules" | "everyMs" | "workMs">;

/** Runs the race, pauses the schedules, and waits until the last run has ended. */
async function race(rules: Rules, random: Random, perform: (racers: Racers) => Promise<void>): Promise<Race> {
  await using place = emptyStore();
  using dir = tempDir();
  const { url, options } = place;
  const log = join(dir.path, "effects.log");
  await using racers = await startRacers("schedule_runner.ts", { url, options, log, ...rules }, random);
  const client = await createClient(url, { ...options });
  try {
    await perform(racers);
    await racers.ready();
    const names = Array.from({ length: rules.schedules }, (_, at) => `s${at}`);
    for (const name of names) await client.schedules.pause(name);
    const infos = await Promise.all(names.map((name) => client.schedules.get(name)));
    await until(async () => {
      const { runs: { pending, running, waiting } } = await client.stats();
      return pending + running + waiting === 0;
    }, "no run is live");
    const rows = await place.query("select name, created_at, progress from schedules");
    const runs = await place.query(`
      select schedule, tick, id, created_at as created, ended_at as ended, state
        from runs
       where schedule is not null
       order by schedule, tick, seq`);
    const schedules = infos.map(({ name, queued, counts }, at): Raced => {
      const row = rows.find((row) => row["name"] === name)!;
      const { nextTick } = JSON.parse(String(row["progress"])) as { readonly nextTick: number };
      const created = Number(row["created_at"]);
      const anchor = Math.floor(at * rules.everyMs / rules.schedules);
      const ofIt = runs.filter((run) => run["schedule"] === name).map(({ tick, id, created, ended, state }) => ({
        tick: Number(tick),
        id: String(id),
        created: Number(created),
        ended: ended === null ? null : Number(ended),
        state: String(state),
      }));
      // The runner that registered the schedule read the time slightly earlier, so that a tick may be in between.
      const armed = anchor + (Math.floor((created - anchor) / rules.everyMs) + 1) * rules.everyMs;
      const first = Math.min(armed, ofIt[0]?.tick ?? Infinity);
      const ticks = Array.from({ length: (nextTick - first) / rules.everyMs }, (_, at) => first + at * rules.everyMs);
      return { name, ticks, queued, counts, runs: ofIt };
    });
    reported(summary(rules, schedules, racers.kills));
    return { schedules, lines: readLines(log) };
  } finally {
    await client.stop();
  }
}

function summary({ overlap, catchUp }: Rules, schedules: readonly Raced[], kills: number): string {
  const sum = (count: (raced: Raced) => number): number => schedules.reduce((all, raced) => all + count(raced), 0);
  const { ticks, runs, overlapped, missed } = {
    ticks: sum(({ ticks }) => ticks.length),
    runs: sum(({ runs }) => runs.length),
    overlapped: sum(({ counts }) => counts.overlapped),
    missed: sum(({ counts }) => counts.missed),
  };
  return `overlap ${overlap}, catchUp ${catchUp}: ${kills} kills, ${ticks} ticks, ${runs} runs, ` +
    `${overlapped} overlapped, ${missed} missed`;
}

/** Each tick has one run, waits, or is counted; none is both, and none is missing. Completed runs had their effects. */
function checkDecisions({ schedules, lines }: Race): void {
  const stored = new Map<string, string>();
  const effects = new Set(lines.flatMap(({ kind, name, what }) => kind === "end" ? [`${name} ${what}`] : []));
  for (const { name, ticks, queued, counts, runs } of schedules) {
    const started = runs.map(({ tick }) => tick);
    assertEquals(started, [...new Set(started)], `${name}: a tick has two runs`);
    assertEquals(started.filter((tick) => !ticks.includes(tick)), [], `${name}: a run has no tick of the schedule`);
    assertEquals(
      [counts.started, counts.started + counts.overlapped + counts.missed + queued.length, counts.failed],
      [started.length, ticks.length, 0],
      `${name}: ${JSON.stringify(counts)}`,
    );
    for (const { tick, id, state } of runs) {
      stored.set(`${name} ${tick}`, id);
      assert(state !== "completed" || effects.has(`${name} ${tick}`), `${name} ${tick} completed without its effects`);
    }
  }
  assertEquals(wrongRuns(lines, stored), []);
}

/** A race for the ticks of one schedule whose runs overlap; there is always a live runner that can start them. */
async function overlapping(overlap: Overlap, random: Random): Promise<Raced & Pick<Race, "lines">> {
  const rules: Rules = { overlap, catchUp: "all", schedules: 1, everyMs: 200, workMs: 500 };
  const result = await race(rules, random, (racers) => racers.race(RACE_MS));
  checkDecisions(result);
  const [raced] = result.schedules;
  assert(
    raced!.ticks.length > 10 && raced!.runs.length > 1,
    `${raced!.ticks.length} ticks, ${raced!.runs.length} runs`,
  );
  assertEquals(raced!.counts.missed, 0);
  return { ...raced!, lines: result.lines };
}

/** No run was inserted before the previous one had ended, or had effects before the last effect of the previous one. */
function checkNoOverlap({ runs, lines }: Pick<Raced & Race, "runs" | "lines">): void {
  const overlapping = runs.filter(({ created }, at) => at > 0 && !((runs[at - 1]!.ended ?? Infinity) <= created));
  assertEquals(overlapping, []);
  const order = lines.filter(({ kind }) => kind !== "kill").map(({ runId }) => runId);
  const turns = order.filter((runId, at) => order[at - 1] !== runId);
  assertEquals(turns, [...new Set(turns)], "a run had effects between those of another");
}

randomTest("five runners killed at random moments start one run for each tick (allow)", async (random) => {
  const { runs, ticks } = await overlapping("allow", random);
  assertEquals(runs.map(({ tick }) => tick), ticks);
});

randomTest("five runners killed at random moments start no run while another has not ended (skip)", async (random) => {
  checkNoOverlap(await overlapping("skip", random));
});

randomTest(
  "five runners killed at random moments start the runs of all ticks one after another (queue)",
  async (random) => {
    const raced = await overlapping("queue", random);
    checkNoOverlap(raced);
    assertEquals(raced.counts.overlapped, 0);
    assertEquals([...raced.runs.map(({ tick }) => tick), ...raced.queued], raced.ticks);
  },
);

randomTest("five runners killed at random moments leave at most one live run (cancelPrevious)", async (random) => {
  const { runs } = await overlapping("cancelPrevious", random);
  // Before a run is inserted the previous one is cancelled, unless it has ended.
  const left = runs.slice(0, -1).filter(({ state }) => state !== "cancelled" && state !== "completed");
  assertEquals(left, []);
});

/** As many outages as fit into the time of the race, each with a race before and after it. */
async function outages(racers: Racers, random: Random): Promise<void> {
  const count = Math.max(1, Math.floor(RACE_MS / 30_000));
  for (let at = 0; at < count; at++) {
    await racers.race(RACE_MS / (count + 1));
    await racers.outage(MISSED_AFTER_MS + 1_000 + random.next() * 4_000);
  }
  await racers.race(RACE_MS / (count + 1));
}

/** Ticks are spread so that at any moment some schedules have had no tick within the last ten seconds. */
async function caughtUp(catchUp: CatchUp, random: Random): Promise<Race> {
  const rules: Rules = { overlap: "allow", catchUp, schedules: 30, everyMs: 12_000, workMs: 1 };
  const result = await race(rules, random, (racers) => outages(racers, random));
  checkDecisions(result);
  return result;
}

/** The longest time between the decision that a tick is in time and the insert of its run, in milliseconds. */
const COMMIT_MS = 5_000;
/** The largest difference between the time of a runner and that of the store, in milliseconds. */
const APART_MS = 500;

const isLate = ({ tick, created }: TickRun): boolean => created > tick + MISSED_AFTER_MS + COMMIT_MS;

randomTest("five runners killed together start runs only for ticks that are in time (catchUp none)", async (random) => {
  const { schedules } = await caughtUp("none", random);
  assertEquals(schedules.flatMap(({ runs }) => runs.filter(isLate)), []);
  // A tick without a run had been missed when the next run was started or the race ended.
  for (const { ticks, runs } of schedules) {
    for (const tick of ticks.filter((tick) => !runs.some((run) => run.tick === tick))) {
      const next = runs.find((run) => run.tick > tick);
      if (next !== undefined) assert(next.created - tick > MISSED_AFTER_MS - APART_MS, `${tick}: ${next.created}`);
    }
  }
  assert(schedules.some(({ counts }) => counts.missed > 0), "no tick was missed");
});

randomTest("five runners killed together start a run for the last missed tick (catchUp last)", async (random) => {
  const { schedules } = await caughtUp("last", random);
  // Each decision starts a run for the latest tick: a tick without a run is followed by one with a run.
  for (const { name, ticks, runs } of schedules) {
    assertEquals(runs.at(-1)?.tick, ticks.at(-1), `${name}: the latest tick has no run`);
    for (const [at, tick] of ticks.entries()) {
      const run = runs.find((run) => run.tick === tick);
      const next = runs.find((run) => run.tick > tick);
      if (run === undefined) assert(next!.created - tick > MISSED_AFTER_MS - APART_MS, `${name}: ${tick} was in time`);
      // A caught-up tick is the latest of those that were due.
      else if (isLate(run)) {
        assert((ticks[at + 1] ?? Infinity) > run.created - COMMIT_MS, `${name}: ${tick} is not last`);
      }
    }
  }
  const late = schedules.flatMap(({ runs }) => runs.filter(({ tick, created }) => created > tick + MISSED_AFTER_MS));
  assert(late.length > 0, "no tick was caught up");
});

randomTest("five runners killed together start runs for all missed ticks (catchUp all)", async (random) => {
  const { schedules } = await caughtUp("all", random);
  for (const { name, ticks, runs } of schedules) assertEquals(runs.map(({ tick }) => tick), ticks, name);
  const late = schedules.flatMap(({ runs }) => runs.filter(({ tick, created }) => created > tick + MISSED_AFTER_MS));
  assert(late.length > 0, "no tick was caught up");
});
