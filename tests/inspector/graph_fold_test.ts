import { assertEquals } from "@std/assert";
import { type Foldable, foldTasks } from "../../lib/inspector/pages/graph_fold.ts";
import { test } from "../harness.ts";

function task(id: string, after: readonly string[] = [], kind = "task"): Foldable {
  return { id, after, kind, on: "success" };
}

function shown(tasks: readonly Foldable[], most: number): readonly string[] {
  return foldTasks(tasks, most).map(({ tasks, after }) => `${tasks.map(({ id }) => id).join("+")} after ${after}`);
}

test("tasks that stand alike share a box if they are many", () => {
  const fan = [task("a"), task("b1", ["a"]), task("b2", ["a"]), task("b3", ["a"]), task("c", ["b1", "b2", "b3"])];
  assertEquals(shown(fan, 2), ["a after ", "b1+b2+b3 after 0", "c after 1"]);
  assertEquals(shown(fan, 3), ["a after ", "b1 after 0", "b2 after 0", "b3 after 0", "c after 1,2,3"]);
});

test("branches of several tasks become a chain of boxes", () => {
  const lanes = [1, 2, 3].flatMap((n) => [
    task(`fetch-${n}`, ["plan"]),
    task(`clean-${n}`, [`fetch-${n}`]),
    task(`load-${n}`, [`clean-${n}`]),
  ]);
  const ends = lanes.filter(({ id }) => id.startsWith("load")).map(({ id }) => id);
  assertEquals(shown([task("plan"), ...lanes, task("join", ends)], 2), [
    "plan after ",
    "fetch-1+fetch-2+fetch-3 after 0",
    "clean-1+clean-2+clean-3 after 1",
    "load-1+load-2+load-3 after 2",
    "join after 3",
  ]);
});

test("a task that differs by kind, by what it depends on or by what depends on it keeps its own box", () => {
  const tasks = [
    task("a"),
    task("z"),
    task("b1", ["a"]),
    task("b2", ["a"]),
    task("b3", ["a"]),
    task("other-kind", ["a"], "transaction"),
    task("other-parent", ["z"]),
    task("with-child", ["a"]),
    task("child", ["with-child"]),
  ];
  assertEquals(shown(tasks, 2).filter((box) => box.includes("+")), ["b1+b2+b3 after 0"]);
});

test("dependencies that are not there, or not before it, are passed over", () => {
  assertEquals(shown([task("a", ["gone", "b"]), task("b", ["a"])], 2), ["a after ", "b after 0"]);
});

test("boxes of any graph stand after those they depend on, and hold every task once", () => {
  let state = 7;
  const below = (limit: number): number => (state = (Math.imul(state, 48_271) >>> 0) % 2_147_483_647) % limit;
  for (let round = 0; round < 50; round++) {
    const tasks = Array.from(
      { length: 60 },
      (_, i) => task(`${i}`, i === 0 ? [] : Array.from({ length: below(3) }, () => `${below(Math.min(i, 8))}`)),
    );
    const boxes = foldTasks(tasks, 3);
    assertEquals(boxes.flatMap(({ after }, i) => after.filter((other) => other >= i)), []);
    assertEquals(boxes.flatMap(({ tasks }) => tasks.map(({ id }) => Number(id))).sort((a, b) => a - b).length, 60);
    assertEquals(new Set(boxes.flatMap(({ tasks }) => tasks)).size, 60);
  }
});
