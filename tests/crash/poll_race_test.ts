/**
 * Five processes race for the checks of polls and are killed at random moments. The tables and the effect log show that
 * the cursor skips nothing and that each key has one run. SLUICE_FAULT_SECONDS sets the duration.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { createClient } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { randomTest } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { until } from "../within.ts";
import { RACE_MS, readLines, reported, startRacers, wrongRuns, wrongTurns } from "./racers.ts";

/** Many, because a poll whose process dies during a check stays leased until the timeout has passed. */
const POLLS = 20;

randomTest("five runners killed at random moments start one run for each key that a poll finds", async (random) => {
  await using place = emptyStore();
  using dir = tempDir();
  const { url, options } = place;
  const log = join(dir.path, "effects.log");
  await using racers = await startRacers("poll_runner.ts", { url, options, log, polls: POLLS }, random);
  await using client = await createClient(url, { ...options });
  await racers.race(RACE_MS);
  await racers.ready();
  const names = Array.from({ length: POLLS }, (_, at) => `p${at}`);
  const cursors = () => Promise.all(names.map(async (name) => Number((await client.schedules.get(name)).poll!.cursor)));
  // Other processes repeat the checks of dead ones.
  const atEnd = await cursors();
  await until(async () => (await cursors()).every((cursor, at) => cursor > atEnd[at]!), "every poll finds more");
  for (const name of names) await client.schedules.pause(name);
  await until(async () => {
    const { runs: { pending, running } } = await client.stats();
    return pending + running === 0;
  }, "no run is live");

  const rows = await place.query("select id, key, schedule, state from runs order by seq");
  const stored = new Map(rows.map((row) => [`${row["schedule"]} ${row["key"]}`, String(row["id"])]));
  assertEquals(rows.length, stored.size, "a key has two runs");
  assertEquals(rows.filter(({ state }) => state !== "completed"), []);
  // Every key up to the cursor has a run, in the order of the keys, and no key beyond it has one.
  let [found, failed] = [0, 0];
  for (const name of names) {
    const { poll, counts } = await client.schedules.get(name);
    const keys = rows.filter(({ schedule }) => schedule === name).map(({ key }) => key);
    assertEquals(keys, Array.from({ length: Number(poll!.cursor) }, (_, at) => `${name}-${at}`));
    found += keys.length;
    failed += counts.failed;
  }
  const lines = readLines(log);
  assertEquals(wrongRuns(lines, stored), []);
  const effects = lines.filter(({ kind, runId }) => kind === "end" && runId !== "-");
  assertEquals(new Set(effects.map(({ name, what }) => `${name} ${what}`)).size, rows.length, "a run had no effect");
  const isCheck = ({ what }: { readonly what: string }): boolean => what.startsWith("check-");
  assertEquals(wrongTurns(lines.filter((line) => line.kind === "kill" || isCheck(line))), []);
  const checks = lines.filter((line) => line.kind === "begin").length;
  const cut = checks - lines.filter((line) => line.kind === "end" && isCheck(line)).length;
  reported(`polls: ${racers.kills} kills, ${checks} checks, of which ${cut} were cut short, ${found} keys`);
  assertEquals(failed, 0);
});
