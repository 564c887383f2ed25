import { assertEquals } from "@std/assert";
import { createObservations } from "../../lib/engine/telemetry/histogram.ts";
import { test } from "../harness.ts";

test("a duration that a clock made negative counts as none", () => {
  const seconds = createObservations([0.1, 1]);
  for (const value of [-3_600, 0.5]) seconds.observe(value);
  assertEquals(seconds.histogram(), {
    buckets: [{ le: 0.1, count: 1 }, { le: 1, count: 2 }, { le: Infinity, count: 2 }],
    count: 2,
    sum: 0.5,
  });
});
