/** The state machine in examples: an event, and the commands it returns. */
import { assertEquals } from "@std/assert";
import { CHAIN, recorded, started } from "./driven_machine.ts";
import { test } from "../harness.ts";

test("tasks without dependencies start at once, and only they", () => {
  const run = started([{ id: "a" }, { id: "b" }, { id: "c", after: ["a"] }]);
  assertEquals(run.commands, ["start a", "start b"]);
});

test("a task starts when the end of its dependency is recorded, not when it has ended", () => {
  const run = started(CHAIN);
  assertEquals(run.completed("a"), ["record a"]);
  assertEquals(run.durable("a"), ["start b"]);
});

test("a task with two dependencies starts with the record of the second", () => {
  const run = started([{ id: "a" }, { id: "b" }, { id: "c", after: ["a", "b"] }]);
  run.completed("a");
  run.completed("b");
  assertEquals(run.durable("b"), []);
  assertEquals(run.durable("a"), ["start c"]);
});

test("the end of the run comes with the record of its last task", () => {
  const run = started([{ id: "a" }]);
  assertEquals(run.completed("a"), ["record a", "end completed"]);
});

test("nothing happens to a run that has ended", () => {
  const run = started([{ id: "a" }]);
  run.completed("a");
  assertEquals(run.durable("a"), []);
  assertEquals(run.tell({ type: "stopRequested", as: "cancelled" }), []);
  assertEquals(run.tell({ type: "graceElapsed" }), []);
});

test("what depends on a failed task is skipped, and what depends on that, in the same answer", () => {
  const run = started([...CHAIN, { id: "c", after: ["b"] }]);
  assertEquals(run.failed("a"), ["record a", "record b", "record c", "end failed"]);
  assertEquals(run.reasons(), { a: undefined, b: 'dependency "a" failed', c: 'dependency "b" failed' });
});

test("an independent branch completes before a failure ends the run", () => {
  const run = started([{ id: "a" }, { id: "b" }, { id: "c", after: ["b"] }]);
  assertEquals(run.failed("a"), ["record a"]);
  assertEquals(run.completed("b"), ["record b"]);
  assertEquals(run.durable("b"), ["start c"]);
  assertEquals(run.completed("c"), ["record c", "end failed"]);
});

test("a task that is skipped by its own condition does not hinder its dependents", () => {
  const run = started([{ id: "a", when: () => false }, { id: "b", after: ["a"] }]);
  assertEquals(run.conditionFailed("a"), ["record a"]);
  assertEquals(run.durable("a"), ["start b"]);
  assertEquals(run.completed("b"), ["record b", "end completed"]);
  assertEquals(run.reasons()["a"], "its condition returned false");
});

test('"settled" starts after a failure, and does not hide it', () => {
  const run = started([{ id: "a" }, { id: "clean", after: ["a"], on: "settled" }]);
  run.failed("a");
  assertEquals(run.durable("a"), ["start clean"]);
  assertEquals(run.completed("clean"), ["record clean", "end failed"]);
});

test('"anyFailed" starts after a failure, and handles it when it completes', () => {
  const run = started([{ id: "a" }, { id: "mend", after: ["a"], on: "anyFailed" }]);
  run.failed("a");
  assertEquals(run.durable("a"), ["start mend"]);
  assertEquals(run.completed("mend"), ["record mend", "end completed"]);
});

test("a handler that fails handles nothing", () => {
  const run = started([{ id: "a" }, { id: "mend", after: ["a"], on: "anyFailed" }]);
  run.failed("a");
  run.durable("a");
  assertEquals(run.failed("mend"), ["record mend", "end failed"]);
});

test("a handler that is skipped by its own condition handles nothing", () => {
  const run = started([{ id: "a" }, { id: "mend", after: ["a"], on: "anyFailed", when: () => false }]);
  run.failed("a");
  run.durable("a");
  assertEquals(run.conditionFailed("mend"), ["record mend", "end failed"]);
});

test("a failure is handled through tasks that were skipped because of it", () => {
  const run = started([...CHAIN, { id: "mend", after: ["b"], on: "anyFailed" }]);
  assertEquals(run.failed("a"), ["record a", "record b"]);
  run.durable("a");
  assertEquals(run.durable("b"), ["start mend"]);
  assertEquals(run.completed("mend"), ["record mend", "end completed"]);
});

test("a failure is not handled through a task that completed in spite of it", () => {
  const run = started([{ id: "a" }, { id: "b", after: ["a"], on: "settled" }, {
    id: "c",
    after: ["b"],
    on: "anyFailed",
  }]);
  run.failed("a");
  run.durable("a");
  assertEquals(run.completed("b"), ["record b", "record c", "end failed"]);
  assertEquals(run.reasons()["c"], "no dependency failed");
});

test("each failure needs a handler of its own", () => {
  const run = started([{ id: "a" }, { id: "b" }, { id: "mend", after: ["a"], on: "anyFailed" }]);
  run.failed("a");
  run.failed("b");
  run.durable("a");
  assertEquals(run.completed("mend"), ["record mend", "end failed"]);
});

test('"anyFailed" without a failure is skipped, as by its own condition', () => {
  const run = started([{ id: "a" }, { id: "mend", after: ["a"], on: "anyFailed" }, { id: "last", after: ["mend"] }]);
  assertEquals(run.completed("a"), ["record a", "record mend"]);
  run.durable("a");
  assertEquals(run.durable("mend"), ["start last"]);
  assertEquals(run.completed("last"), ["record last", "end completed"]);
});

test('"allFailed" starts when every dependency failed', () => {
  const run = started([{ id: "a" }, { id: "b" }, { id: "mend", after: ["a", "b"], on: "allFailed" }]);
  run.failed("a");
  assertEquals(run.failed("b"), ["record b"]);
  run.durable("a");
  assertEquals(run.durable("b"), ["start mend"]);
});

test('"allFailed" is skipped when one dependency completed', () => {
  const run = started([{ id: "a" }, { id: "b" }, { id: "mend", after: ["a", "b"], on: "allFailed" }]);
  run.failed("a");
  assertEquals(run.completed("b"), ["record b", "record mend", "end failed"]);
  assertEquals(run.reasons()["mend"], "not every dependency failed");
});

test('"anySucceeded" waits for all its dependencies, and starts if one completed', () => {
  const run = started([{ id: "a" }, { id: "b" }, { id: "c", after: ["a", "b"], on: "anySucceeded" }]);
  run.completed("a");
  assertEquals(run.durable("a"), []);
  run.failed("b");
  assertEquals(run.durable("b"), ["start c"]);
});

test('"anySucceeded" is skipped when none completed', () => {
  const run = started([{ id: "a" }, { id: "c", after: ["a"], on: "anySucceeded" }]);
  assertEquals(run.failed("a"), ["record a", "record c", "end failed"]);
  assertEquals(run.reasons()["c"], "no dependency succeeded");
});

for (const on of ["anySucceeded", "anyFailed", "allFailed"] as const) {
  test(`a task on "${on}" that depends on nothing is skipped`, () => {
    const run = started([{ id: "a", on }, { id: "b" }]);
    assertEquals(run.commands, ["record a", "start b"]);
  });
}

test("a run all of whose tasks are skipped completes at once", () => {
  assertEquals(started([{ id: "a", on: "anyFailed" }]).commands, ["record a", "end completed"]);
});

test("a run whose returned task failed fails although the failure was handled", () => {
  const run = started([{ id: "a" }, { id: "mend", after: ["a"], on: "anyFailed" }], "a");
  run.failed("a");
  run.durable("a");
  assertEquals(run.completed("mend"), ["record mend", "end failed"]);
});

test("a run whose returned task was skipped because of a handled failure fails", () => {
  const run = started([...CHAIN, { id: "mend", after: ["a"], on: "anyFailed" }], "b");
  run.failed("a");
  run.durable("a");
  assertEquals(run.completed("mend"), ["record mend", "end failed"]);
});

test("a run whose returned task was skipped by its own condition completes", () => {
  const run = started([{ id: "a", when: () => false }], "a");
  assertEquals(run.conditionFailed("a"), ["record a", "end completed"]);
});

test("a failed attempt with another one to come is recorded, waits, and parks the run", () => {
  const run = started([{ id: "a" }]);
  assertEquals(run.failed("a", 50), ["record a", "wait a until 50", "park until 50"]);
  assertEquals(run.woken("a"), ["start a"]);
  assertEquals(run.attempts("a"), 2);
});

test("a run is parked until the earliest of its waiting tasks, and only when nothing runs", () => {
  const run = started([{ id: "a" }, { id: "b" }]);
  assertEquals(run.failed("a", 50), ["record a", "wait a until 50"]);
  assertEquals(run.failed("b", 20), ["record b", "wait b until 20", "park until 20"]);
});

test("a run with a task that only waits for a commit is not parked", () => {
  const run = started([{ id: "a" }, { id: "b" }, { id: "c", after: ["b"] }]);
  run.failed("a", 50);
  assertEquals(run.completed("b"), ["record b"]);
  assertEquals(run.durable("b"), ["start c"]);
});

test("a deferral is no attempt", () => {
  const run = started([{ id: "a" }]);
  assertEquals(run.tell({ type: "deferred", unit: run.unit("a"), wake: { at: 9 } }), [
    "record a",
    "wait a until 9",
    "park until 9",
  ]);
  assertEquals(run.attempts("a"), 0);
  run.woken("a");
  assertEquals(run.attempts("a"), 1);
});

test("a second end of the same attempt is ignored", () => {
  const run = started(CHAIN);
  run.completed("a");
  assertEquals(run.completed("a"), []);
  assertEquals(run.failed("a"), []);
});

test("a paused run lets its bodies finish, starts nothing, and is released", () => {
  const run = started(CHAIN);
  assertEquals(run.tell({ type: "paused" }), []);
  assertEquals(run.completed("a"), ["record a", "release"]);
  assertEquals(run.durable("a"), ["release"]);
});

test("a run that is resumed before its bodies have finished continues unchanged", () => {
  const run = started(CHAIN);
  run.tell({ type: "paused" });
  assertEquals(run.tell({ type: "resumed" }), []);
  run.completed("a");
  assertEquals(run.durable("a"), ["start b"]);
});

test("what became due while the run was paused starts when it is resumed", () => {
  const run = started([{ id: "a" }, { id: "b" }]);
  run.failed("a", 5);
  run.tell({ type: "paused" });
  assertEquals(run.woken("a"), []);
  assertEquals(run.tell({ type: "resumed" }), ["start a"]);
});

test("a stopping run aborts its bodies and ends when they have settled", () => {
  const run = started([...CHAIN, { id: "x" }]);
  assertEquals(run.tell({ type: "stopRequested", as: "cancelled" }), ["abort"]);
  assertEquals(run.failed("a"), []);
  assertEquals(run.completed("x"), ["record x", "end cancelled"]);
});

test("a stopping run without bodies ends at once", () => {
  const run = started([{ id: "a" }]);
  run.failed("a", 50);
  assertEquals(run.tell({ type: "stopRequested", as: "failed" }), ["end failed"]);
});

test("a stopping run ends when the grace is over, whatever its bodies do", () => {
  const run = started([{ id: "a" }]);
  run.tell({ type: "stopRequested", as: "cancelled" });
  assertEquals(run.tell({ type: "graceElapsed" }), ["end cancelled"]);
});

test("a paused run can be stopped", () => {
  const run = started([{ id: "a" }]);
  run.tell({ type: "paused" });
  assertEquals(run.tell({ type: "stopRequested", as: "cancelled" }), ["abort"]);
  assertEquals(run.failed("a"), ["end cancelled"]);
});

test("a second request to stop changes nothing", () => {
  const run = started([{ id: "a" }]);
  run.tell({ type: "stopRequested", as: "cancelled" });
  assertEquals(run.tell({ type: "stopRequested", as: "failed" }), []);
  assertEquals(run.tell({ type: "graceElapsed" }), ["end cancelled"]);
});

test("an attempt that was given up does not count, and is not begun again here", () => {
  const run = started([{ id: "a" }]);
  assertEquals(run.abandoned("a"), []);
  assertEquals(run.attempts("a"), 0);
});

test("a restored run starts what its journal allows, and nothing twice", () => {
  const run = started([...CHAIN, { id: "c", after: ["b"] }], undefined, [recorded(0, "completed")]);
  assertEquals(run.commands, ["start b"]);
});

test("a restored task that ran when its runner died begins the same attempt again", () => {
  const run = started([{ id: "a" }], undefined, [{ ...recorded(0, "running"), attempts: 1 }]);
  assertEquals(run.commands, ["start a"]);
  assertEquals(run.attempts("a"), 2);
});

test("a restored task that waited still waits", () => {
  const run = started([{ id: "a" }], undefined, [{ ...recorded(0, "waiting"), wake: { at: 70 } }]);
  assertEquals(run.commands, ["wait a until 70", "park until 70"]);
});

test("a restored run knows which skips count as failures", () => {
  const journal = [recorded(0, "failed"), recorded(1, "skipped")];
  const run = started([...CHAIN, { id: "c", after: ["b"] }], undefined, journal);
  assertEquals(run.commands, ["record c", "end failed"]);
});

test("a restored run whose journal is complete ends at once", () => {
  assertEquals(started([{ id: "a" }], undefined, [recorded(0, "completed")]).commands, ["end completed"]);
});

test("a chain of a hundred thousand skips needs no deep stack", () => {
  const ids = Array.from({ length: 100_000 }, (_, at) => `t${at}`);
  const run = started(ids.map((id, at) => at === 0 ? { id } : { id, after: [ids[at - 1]!] }));
  assertEquals(run.failed("t0").length, 100_001);
});
