import { assert, assertEquals } from "@std/assert";
import { createCalculator, jitterOf, latestTicks, list } from "../../lib/engine/schedules/ticks.ts";
import { loadCron } from "../../lib/engine/schedules/croner.ts";
import { test } from "../harness.ts";

const calculator = createCalculator(await loadCron());
const DAY_MS = 86_400_000;

test("an interval ticks at its multiples since startAt or, without one, since the epoch", () => {
  assertEquals(list(calculator.ticks({ everyMs: 300 }), 1_000, 2_000, 9), [1_200, 1_500, 1_800]);
  assertEquals(list(calculator.ticks({ everyMs: 300, startAt: 1_100 }), 0, 2_000, 9), [1_100, 1_400, 1_700, 2_000]);
});

test("a window begins with startAt and ends before endAt", () => {
  const cron = { cron: "0 0 * * *", isTimeOfDay: true };
  const ticks = calculator.ticks({ ...cron, startAt: DAY_MS, endAt: 3 * DAY_MS });
  assertEquals(list(ticks, 0, 9 * DAY_MS, 9), [DAY_MS, 2 * DAY_MS]);
  assertEquals(list(calculator.ticks({ everyMs: DAY_MS, endAt: 2 * DAY_MS }), 0, 9 * DAY_MS, 9), [DAY_MS]);
});

test("the latest ticks of a period are found without listing all of them", () => {
  const everySecond = calculator.ticks({ cron: "* * * * * *" });
  const until = Date.UTC(2026, 5, 1);
  assertEquals(latestTicks(everySecond, { after: Date.UTC(2016, 5, 1), until, most: 3 }), {
    latest: [until - 2_000, until - 1_000, until],
    count: 1_000,
  });
  assertEquals(latestTicks(everySecond, { after: until - 5_000, until, most: 2 }), {
    latest: [until - 1_000, until],
    count: 5,
  });
  // All seconds of January, seen from June.
  const january = calculator.ticks({ cron: "* * * * 1 *" });
  const end = Date.UTC(2026, 1, 1);
  assertEquals(latestTicks(january, { after: Date.UTC(2020, 0, 1), until, most: 2 }), {
    latest: [end - 2_000, end - 1_000],
    count: 1_000,
  });
});

test("jitter is the same for the same schedule and tick, within its bound, and spreads schedules", () => {
  const tick = Date.UTC(2026, 0, 1);
  assertEquals(jitterOf("a", tick, 60_000), jitterOf("a", tick, 60_000));
  assertEquals(jitterOf("a", tick, 0), 0);
  const delays = Array.from({ length: 1_000 }, (_, at) => jitterOf(`schedule ${at}`, tick, 60_000));
  assert(delays.every((delay) => Number.isInteger(delay) && delay >= 0 && delay < 60_000));
  for (let sixth = 0; sixth < 6; sixth++) {
    const inside = delays.filter((delay) => Math.floor(delay / 10_000) === sixth).length;
    assert(inside > 100 && inside < 240, `${inside} of 1,000 in sixth ${sixth}`);
  }
});
