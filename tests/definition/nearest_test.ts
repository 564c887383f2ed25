import { assertEquals } from "@std/assert";
import { didYouMean, nearest } from "../../lib/definition/nearest.ts";
import { test } from "../harness.ts";

test("nearest() finds what was meant: letters changed, missing, added, swapped or in the other case", () => {
  const ids = ["extract", "transform", "load"];
  const typos = ["extarct", "extrat", "extractt", "Transform", "transfrom", "laod", "laods", "loud"];
  assertEquals(typos.map((typo) => nearest(typo, ids)), [
    "extract",
    "extract",
    "extract",
    "transform",
    "transform",
    "load",
    "load",
    "load",
  ]);
});

test("nearest() suggests nothing that is too far, or the name itself", () => {
  for (const name of ["zzz", "", "l", "store", "x".repeat(1_000_000)]) {
    assertEquals(nearest(name, ["extract", "load"]), undefined);
  }
  assertEquals(nearest("load", ["load"]), undefined);
});

test("nearest() takes the first of those equally near", () => {
  assertEquals(nearest("shard-9", ["shard-1", "shard-2"]), "shard-1");
});

test("didYouMean() is a question, or nothing", () => {
  assertEquals(didYouMean("laod", ["load"]), ' (did you mean "load"?)');
  assertEquals(didYouMean(5, ["load"]), "");
});
