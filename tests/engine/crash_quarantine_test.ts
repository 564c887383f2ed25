import { assertEquals } from "@std/assert";
import { canRunBeside } from "../../lib/engine/fleet/crash_quarantine.ts";
import { test } from "../harness.ts";

test("a run that crashed once or twice of five is not held back", () => {
  assertEquals([0, 1].map((crashes) => canRunBeside(crashes, [4, 3, 2], 5)), [true, true]);
});

test("runs with which two runners died are held eight at a time", () => {
  assertEquals(canRunBeside(2, Array(7).fill(2), 5), true);
  assertEquals(canRunBeside(2, Array(8).fill(2), 5), false);
  assertEquals(canRunBeside(2, [0, 1, ...Array(7).fill(2)], 5), true);
});

test("a run that is nearly given up is alone among suspects", () => {
  assertEquals(canRunBeside(3, [0, 1], 5), true);
  assertEquals(canRunBeside(4, [2], 5), false);
  assertEquals(canRunBeside(2, [4], 5), false);
});

test("a lower limit holds runs back sooner, and a limit of one never could", () => {
  assertEquals(canRunBeside(1, [1], 2), false);
  assertEquals(canRunBeside(1, [1], 3), false);
  assertEquals(canRunBeside(0, [1, 1, 1], 1), true);
});
