import { assertEquals, assertThrows } from "@std/assert";
import { parseDuration, toMs } from "../../lib/duration.ts";
import { test } from "../harness.ts";

test("a duration is milliseconds or a number with a unit", () => {
  const durations = ["250ms", "30s", "5m", "2h", "7d", "1.5s", "0s", 0, 1_500, 0.4];
  assertEquals(durations.map(parseDuration), [250, 30_000, 300_000, 7_200_000, 604_800_000, 1_500, 0, 0, 1_500, 0]);
});

test("what is no duration is undefined", () => {
  const others = ["", "5", "5 m", " 5m", "5m ", "-5m", "5w", "5M", "1e3s", ".5s", "5.s", "ms", "٣s", "5m5s", "0x1s"];
  for (const other of others) assertEquals(parseDuration(other), undefined, other);
  for (
    const other of [-1, NaN, Infinity, 1e300, null, undefined, {}, [], true, 5n, new Date(), "9".repeat(400) + "d"]
  ) {
    assertEquals(parseDuration(other), undefined);
  }
});

test("toMs() names the purpose of an invalid duration", () => {
  assertEquals(toMs("1m", "lease"), 60_000);
  assertThrows(
    () => toMs("5 minutes", "lease"),
    RangeError,
    'lease is not a duration: "5 minutes" (use milliseconds or "250ms", "30s", "5m", "2h", "7d")',
  );
});
