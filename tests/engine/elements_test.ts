import { assertEquals, assertThrows } from "@std/assert";
import { elementsOf } from "../../lib/engine/runs/elements.ts";
import { test } from "../harness.ts";

test("the elements of a JSON array are found whatever they contain", () => {
  const values = [
    1,
    -2.5e10,
    "a,b",
    '"',
    "\\",
    '\\"],[',
    [],
    [[1, 2], [","]],
    {},
    { "}": "]", a: [{ b: "{" }] },
    null,
    true,
    "",
  ];
  const elements = elementsOf(JSON.stringify(values), values.length);
  assertEquals(Array.from(values, (_, at) => JSON.parse(elements.at(at))), values);
  // In any order, and more than once.
  assertEquals(JSON.parse(elements.at(9)), values[9]);
  const again = elementsOf(JSON.stringify(values), values.length);
  assertEquals([12, 0, 5].map((at) => JSON.parse(again.at(at))), [values[12], values[0], values[5]]);
});

test("a text with fewer elements than stated is refused", () => {
  assertThrows(() => elementsOf("[1,2", 3).at(2), Error, "their JSON is not what Sluice wrote");
});
