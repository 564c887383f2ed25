import { assertEquals, assertThrows } from "@std/assert";
import { DeferError, RetryAfterError } from "../../mod.ts";
import { test } from "../harness.ts";

test("a delay that is not a duration is a RangeError, which names it", () => {
  for (const delay of ["soon", "5 minutes", NaN, Infinity, "", null]) {
    for (const error of [DeferError, RetryAfterError]) {
      assertThrows(() => new error(delay as never), RangeError, "The delay of");
    }
  }
});

test("a negative delay means now", () => {
  assertEquals([new DeferError(-5).delayMs, new RetryAfterError(-5).delayMs], [0, 0]);
});
