/** The table "Schedules and daylight saving" of docs/schedules.md, and what a day and an hour are to a schedule in every zone. */
import { assert, assertEquals } from "@std/assert";
import { readCron } from "../../lib/definition/cron.ts";
import { loadCron, type NextWall } from "../../lib/engine/schedules/croner.ts";
import { createCalculator, list, type Ticks } from "../../lib/engine/schedules/ticks.ts";
import { createZone } from "../../lib/engine/schedules/zone.ts";
import { test } from "../harness.ts";

const HOUR_MS = 3_600_000;
const FROM = Date.UTC(2026, 0, 1);
const UNTIL = Date.UTC(2028, 0, 1);

const compile = await loadCron();
const memories = new Map<string, Map<number, number | undefined>>();
// The zones have their local times in common.
const calculator = createCalculator((fields): NextWall => {
  const next = compile(fields);
  const known = memories.get(fields) ?? new Map();
  memories.set(fields, known);
  return (wall) => {
    if (!known.has(wall)) known.set(wall, next(wall));
    return known.get(wall);
  };
});

function ticksOf(cron: string, timeZone: string): Ticks {
  const { fields, isTimeOfDay } = readCron(cron, (problem) => assert(false, problem));
  return calculator.ticks({ cron: fields, isTimeOfDay, timeZone });
}

/** Zones by what their clocks show in the two years, as most have the same as others. */
function zonesByOffsets(): ReadonlyMap<string, string> {
  const zones = new Map<string, string>();
  for (const timeZone of Intl.supportedValuesOf("timeZone")) {
    const zone = createZone(timeZone);
    const changes: unknown[] = [zone.offsetAt(FROM)];
    for (let change = zone.nextChange(FROM, UNTIL); change; change = zone.nextChange(change.at, UNTIL)) {
      changes.push(change);
    }
    zones.set(JSON.stringify(changes), timeZone);
  }
  return zones;
}

const ZONES = [...zonesByOffsets().values()];

/** The local date and time according to the runtime alone. */
function localClock(timeZone: string): (instant: number) => { readonly date: string; readonly time: string } {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  return (instant) => {
    const [date = "", time = ""] = format.format(instant).split(" ");
    return { date, time };
  };
}

test("a daily schedule ticks exactly once per local day, in every zone of the runtime, for two years", () => {
  const wrong: string[] = [];
  for (const timeZone of ZONES) {
    const clock = localClock(timeZone);
    const days = new Set<string>();
    for (let at = FROM; at < UNTIL; at += 6 * HOUR_MS) days.add(clock(at).date);
    // The first and the last are not whole.
    const whole = [...days].slice(1, -1);
    for (const cron of ["0 0 * * *", "30 0 * * *", "15 1 * * *", "30 2 * * *", "15 23 * * *", "59 59 23 * * *"]) {
      const dates = list(ticksOf(cron, timeZone), FROM, UNTIL - 1, 1_000).map((tick) => clock(tick).date);
      const inside = dates.filter((date) => date >= whole[0]! && date <= whole.at(-1)!);
      if (inside.join() !== whole.join()) wrong.push(`${timeZone} ${cron}`);
    }
  }
  assertEquals(wrong, []);
});

test("a daily schedule ticks at its local time on every day on which that time exists", () => {
  const wrong: string[] = [];
  for (const timeZone of ZONES) {
    const clock = localClock(timeZone);
    const zone = createZone(timeZone);
    for (const tick of list(ticksOf("30 2 * * *", timeZone), FROM, UNTIL, 1_000)) {
      const isAfterGap = zone.lastChange(tick - HOUR_MS, tick) !== undefined;
      if (clock(tick).time !== "02:30:00" && !isAfterGap) wrong.push(`${timeZone} ${new Date(tick).toISOString()}`);
    }
  }
  assertEquals(wrong, []);
});

test("an hourly schedule ticks once per hour of real time, in every zone whose offset changes by whole hours", () => {
  const wrong: string[] = [];
  for (const timeZone of ZONES) {
    const zone = createZone(timeZone);
    let last: number | undefined;
    for (const tick of list(ticksOf("0 * * * *", timeZone), FROM, UNTIL, 20_000)) {
      const change = last === undefined ? undefined : zone.nextChange(last, tick);
      // Where it changes by half an hour (Lord Howe Island), the next full hour of the clock is 30 minutes off.
      const shift = change === undefined ? 0 : Math.abs(change.after - change.before) % HOUR_MS;
      if (last !== undefined && tick - last !== HOUR_MS + shift) {
        wrong.push(`${timeZone} ${new Date(tick).toISOString()}`);
      }
      last = tick;
    }
  }
  assertEquals(wrong, []);
  assert(ZONES.some((zone) => zone === "Australia/Lord_Howe"));
});

test("ticks ascend, and the next tick after any instant is the first of them behind it", () => {
  for (const timeZone of ["Europe/Berlin", "America/Nuuk", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana"]) {
    const zone = createZone(timeZone);
    for (
      const cron of ["30 2 * * *", "*/10 * * * *", "30 22,23 * * *", "0 0-3 * * *", "15 0 * * *", "*/20 1,2 * * *"]
    ) {
      const ticks = ticksOf(cron, timeZone);
      for (let change = zone.nextChange(FROM, UNTIL); change; change = zone.nextChange(change.at, UNTIL)) {
        const near = list(ticks, change.at - 30 * HOUR_MS, change.at + 80 * HOUR_MS, 1_000);
        assertEquals(near, [...new Set(near)].sort((a, b) => a - b), `${timeZone} ${cron}`);
        for (let at = change.at - 26 * HOUR_MS; at < change.at + 26 * HOUR_MS; at += 7 * 60_000) {
          assertEquals(
            ticks.next(at),
            near.find((tick) => tick > at),
            `${timeZone} ${cron} ${new Date(at).toISOString()}`,
          );
        }
      }
    }
  }
});

/** The ticks on a day of Berlin, as UTC times: summer time begins on 2026-03-29 at 01:00 UTC and ends on 2026-10-25. */
function berlin(cron: string, day: string): readonly string[] {
  const from = Date.parse(`${day}T00:00:00Z`) - 1;
  const ticks = list(ticksOf(cron, "Europe/Berlin"), from - HOUR_MS, from + 4 * HOUR_MS, 100);
  return ticks.map((tick) => new Date(tick).toISOString().slice(11, 16));
}
const IN_GAP = "2026-03-29";
const IN_OVERLAP = "2026-10-25";

test("a time of day in a gap ticks at the first instant after it, one in an overlap at the first of both", () => {
  assertEquals(berlin("30 2 * * *", IN_GAP), ["01:00"]);
  assertEquals(berlin("0 30 2 * * *", IN_GAP), ["01:00"]);
  assertEquals(berlin("30 2 * * *", IN_OVERLAP), ["00:30"]);
});

test("a list or range of times of day in a gap ticks once, in an overlap each time once", () => {
  assertEquals(berlin("15,45 2 * * *", IN_GAP), ["01:00"]);
  assertEquals(berlin("0 2-3 * * *", IN_GAP), ["01:00"]);
  assertEquals(berlin("15,45 2 * * *", IN_OVERLAP), ["00:15", "00:45"]);
});

test("an interval skips a gap and ticks in both hours of an overlap", () => {
  assertEquals(berlin("*/30 * * * *", IN_GAP), [
    "23:00",
    "23:30",
    "00:00",
    "00:30",
    "01:00",
    "01:30",
    "02:00",
    "02:30",
    "03:00",
    "03:30",
  ]);
  assertEquals(berlin("0 * * * *", IN_OVERLAP), ["23:00", "00:00", "01:00", "02:00", "03:00"]);
  assertEquals(berlin("*/30 2 * * *", IN_GAP), []);
  assertEquals(berlin("*/30 2 * * *", IN_OVERLAP), ["00:00", "00:30", "01:00", "01:30"]);
  assertEquals(berlin("30 */2 * * *", IN_OVERLAP), ["00:30", "01:30", "03:30"]);
});

test("a time of day in a gap that ends its day ticks earlier by the length of the gap", () => {
  // In Nuuk 23:00 on 28 March is followed by 00:00 on 29 March.
  const ticks = list(ticksOf("30 23 * * *", "America/Nuuk"), Date.UTC(2026, 2, 27, 12), Date.UTC(2026, 2, 31), 10);
  const clock = localClock("America/Nuuk");
  assertEquals(ticks.map((tick) => `${clock(tick).date} ${clock(tick).time}`), [
    "2026-03-27 23:30:00",
    "2026-03-28 22:30:00",
    "2026-03-29 23:30:00",
  ]);
});

test("a day that a zone skips has no tick of its own", () => {
  const ticks = list(ticksOf("30 2 * * *", "Pacific/Apia"), Date.UTC(2011, 11, 28, 23), Date.UTC(2012, 0, 1), 10);
  const clock = localClock("Pacific/Apia");
  assertEquals(ticks.map((tick) => clock(tick).date), ["2011-12-29", "2011-12-31", "2012-01-01"]);
});
