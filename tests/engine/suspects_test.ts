import { assertEquals } from "@std/assert";
import { hasTurn } from "../../lib/engine/suspects.ts";
import { test } from "../harness.ts";

test("a run that crashed once or twice of five is not held back", () => {
  assertEquals([0, 1].map((crashes) => hasTurn(crashes, [4, 3, 2], 5)), [true, true]);
});

test("runs with which two runners died are held eight at a time", () => {
  assertEquals(hasTurn(2, Array(7).fill(2), 5), true);
  assertEquals(hasTurn(2, Array(8).fill(2), 5), false);
  assertEquals(hasTurn(2, [0, 1, ...Array(7).fill(2)], 5), true);
});

test("a run that is nearly given up is alone among suspects", () => {
  assertEquals(hasTurn(3, [0, 1], 5), true);
  assertEquals(hasTurn(4, [2], 5), false);
  assertEquals(hasTurn(2, [4], 5), false);
});

test("a lower limit holds runs back sooner, and a limit of one never could", () => {
  assertEquals(hasTurn(1, [1], 2), false);
  assertEquals(hasTurn(1, [1], 3), false);
  assertEquals(hasTurn(0, [1, 1, 1], 1), true);
});
