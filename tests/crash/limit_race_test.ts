/**
 * Five processes race for the slots of limits and are killed at random moments. The effect log shows that no limit was
 * exceeded and that no slot was lost. SLUICE_FAULT_SECONDS sets the duration.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { createClient } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { randomTest } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { until, within } from "../within.ts";
import {
  KEYS,
  limitWorkflows,
  longestPause,
  type Raced,
  spansOf,
  tooManyAtOnce,
  tooManyInPeriod,
} from "./limit_race.ts";
import { RACE_MS, readLines, reported, startRacers } from "./racers.ts";

/** How many runs of a workflow with one key are live at any time: more than its lanes have slots. */
const LIVE: Readonly<Record<Raced, number>> = { task: 4, map: 2, whole: 4, parent: 4, rated: 8 };

/** How many processes stay ready, so that bodies have time to end on a slow machine too. */
const READY = 3;

/** Far longer than the detection of a dead process and the polling interval of a runner. */
const LONGEST_PAUSE_MS = 60_000;

randomTest("five runners killed at random moments exceed no limit and lose no slot", async (random) => {
  await using place = emptyStore();
  using dir = tempDir();
  const { url, options } = place;
  const log = join(dir.path, "effects.log");
  await using racers = await startRacers("limit_runner.ts", { url, options, log }, random);
  const workflows = limitWorkflows(log);
  await using client = await createClient(url, { ...options, workflows: Object.values(workflows) });
  let isOver = false;
  let runs = 0;
  const keepStarting = async (name: Raced, key: string): Promise<void> => {
    while (!isOver) {
      const run = await client.start(workflows[name], key);
      const { status } = await within(`a run of ${name}`, run.outcome());
      assertEquals(status, "completed");
      runs++;
    }
  };
  const starts = Object.entries(LIVE).flatMap(([name, live]) =>
    KEYS.flatMap((key) => Array.from({ length: live }, () => keepStarting(name as Raced, key)))
  );
  const fromMs = Date.now();
  await racers.race(RACE_MS, READY);
  const toMs = Date.now();
  isOver = true;
  await Promise.all(starts);
  await until(async () => (await client.limits()).length === 0, "no lane is left");

  const spans = spansOf(readLines(log));
  const pause = longestPause(spans, { fromMs, toMs });
  reported(
    `limits: ${racers.kills} kills, ${runs} runs, ${spans.length} grants, nothing began in lane "${pause.lane}" for ${pause.ms} ms`,
  );
  assertEquals(tooManyAtOnce(spans), []);
  assertEquals(tooManyInPeriod(spans), []);
  assert(pause.ms < LONGEST_PAUSE_MS, `nothing began in lane "${pause.lane}" for ${pause.ms} ms`);
  assertEquals(spans.filter(({ to, lane }) => to === Infinity && !lane.startsWith("rate ")), []);
  for (const table of ["permits", "starts", "queues", "lane_queues", "lanes"]) {
    await until(async () => (await place.query(`select * from ${table}`)).length === 0, `${table} are left`);
  }
});
