import { assert, assertEquals } from "@std/assert";
import { timeScale } from "../../lib/inspector/pages/time_scale.ts";
import { duration, relative } from "../../lib/inspector/pages/times.ts";
import { test } from "../harness.ts";

const HOUR = 3_600_000;

test("a scale without idle time is even, from edge to edge", () => {
  const scale = timeScale({ from: 1_000, to: 3_000 }, [{ from: 1_000, to: 3_000 }]);
  assertEquals([500, 1_000, 1_500, 3_000, 9_000].map(scale.at), [0, 0, 25, 100, 100]);
  assertEquals(scale.breaks, []);
});

test("an hour between two tries leaves the tries to be seen", () => {
  const scale = timeScale({ from: 0, to: HOUR + 200 }, [{ from: 0, to: 100 }, { from: HOUR + 100, to: HOUR + 200 }]);
  const [first, second] = [scale.at(100), 100 - scale.at(HOUR + 100)];
  assert(first > 40 && second > 40, `${first} ${second}`);
  assertEquals(scale.breaks.map(({ from, to }) => [from, to]), [[100, HOUR + 100]]);
});

test("however many idle stretches there are, most of the scale is for what was done", () => {
  const busy = Array.from({ length: 50 }, (_, i) => ({ from: i * HOUR, to: i * HOUR + 1_000 }));
  const { breaks } = timeScale({ from: 0, to: 50 * HOUR }, busy);
  assertEquals(breaks.length, 50);
  assert(breaks.reduce((sum, { width }) => sum + width, 0) < 34);
});

test("marks are round, apart from each other, and never in a break", () => {
  for (const length of [1, 7, 40, 999, 1_500, 59_000, 61_000, 5 * HOUR, 400 * 24 * HOUR]) {
    const busy = [{ from: 0, to: length / 3 }, { from: length * 0.9, to: length }];
    const { ticks, breaks } = timeScale({ from: 0, to: length }, busy);
    assert(ticks.length >= 1 && ticks.length <= 12, `${length}: ${ticks.length}`);
    for (const [i, { at, elapsedMs }] of ticks.entries()) {
      assert(i === 0 || at - ticks[i - 1]!.at >= 9);
      assert(duration(elapsedMs).length <= 11, duration(elapsedMs));
      assertEquals(breaks.filter(({ left, width }) => at > left && at < left + width), []);
    }
  }
});

test("a scale works where nothing has a length", () => {
  for (const busy of [[], [{ from: 5, to: 5 }], [{ from: 9, to: 2 }]]) {
    const scale = timeScale({ from: 5, to: 5 }, busy);
    assert([0, 5, 6, 100].every((ms) => scale.at(ms) >= 0 && scale.at(ms) <= 100));
  }
});

test("durations never say sixty of anything", () => {
  for (let ms = 0; ms < 10_000_000; ms += 997) {
    assert(!/\b60 (s|min)\b|1000 ms|\b24 h\b/.test(duration(ms)), `${ms}: ${duration(ms)}`);
  }
  assertEquals([59_949, 59_950, 119_900, 3_599_600, 86_399_000].map(duration), [
    "59.9 s",
    "1 min",
    "2 min",
    "1 h",
    "1 d",
  ]);
});

test("relative times use the unit of which there are at least two", () => {
  const distances = [0, -999, -59_400, 119_000, 120_000, 3_590_000, -7_200_000, -172_800_000];
  assertEquals(distances.map(relative), [
    "now",
    "now",
    "59 s ago",
    "in 119 s",
    "in 2 min",
    "in 60 min",
    "2 h ago",
    "2 d ago",
  ]);
});
