/** Units that wait and units that expand, in examples: an event, and the commands it returns. */
import { assertEquals } from "@std/assert";
import type { ItemPolicy } from "../../lib/engine/machine/plan.ts";
import { newRunState, Unit } from "../../lib/engine/machine/run_state.ts";
import { advance } from "../../lib/engine/machine/machine.ts";
import { planOf } from "../../lib/engine/machine/plan.ts";
import { dynamicWorkflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { type ExampleTask, recorded, started } from "./driven_machine.ts";

test("a suspended unit is recorded, waits, and continues without another attempt", () => {
  const run = started([{ id: "a" }]);
  const suspended = { type: "suspended", unit: run.unit("a"), wake: { at: 50 }, reason: "sleep" } as const;
  assertEquals(run.tell(suspended), ["record a", "wait a until 50", "park until 50"]);
  assertEquals(run.woken("a"), ["continue a by time"]);
  assertEquals(run.attempts("a"), 1);
  assertEquals(run.completed("a"), ["record a", "end completed"]);
});

test("a wait without a time parks the run until something arrives", () => {
  const run = started([{ id: "a" }]);
  const suspended = { type: "suspended", unit: run.unit("a"), wake: { message: true }, reason: "event" } as const;
  assertEquals(run.tell(suspended), ["record a", "wait a for ever", "park for ever"]);
  assertEquals(run.woken("a", "message"), ["continue a by message"]);
});

test("a run is parked until the only time there is, whatever else it waits for", () => {
  const run = started([{ id: "a" }, { id: "b" }]);
  run.tell({ type: "suspended", unit: run.unit("a"), wake: { child: true }, reason: "child" });
  assertEquals(run.failed("b", 20), ["record b", "wait b until 20", "park until 20"]);
});

test("a unit that is woken while the run is paused continues when the run is resumed", () => {
  const run = started([{ id: "a" }, { id: "b" }]);
  run.tell({ type: "suspended", unit: run.unit("a"), wake: { message: true }, reason: "event" });
  run.tell({ type: "paused" });
  assertEquals(run.woken("a", "message"), []);
  assertEquals(run.tell({ type: "resumed" }), ["continue a by message"]);
});

test("a run is not parked while the row of a unit that was woken is in flight", () => {
  const run = started([{ id: "a" }, { id: "b" }]);
  run.tell({ type: "suspended", unit: run.unit("a"), wake: { message: true }, reason: "event" });
  assertEquals(run.tell({ type: "woken", unit: run.unit("a"), by: "message", isInFlight: true }), []);
  assertEquals(run.completed("b"), ["record b"]);
  assertEquals(run.woken("a", "message"), ["continue a by message"]);
});

test("nor while that of an item is whose child run has ended", () => {
  const run = started(mapThen("finish", 2));
  run.expanded("m", 2);
  run.durable("m");
  run.tell({ type: "suspended", unit: run.unit("m/0"), wake: { child: true }, reason: "child" });
  assertEquals(run.tell({ type: "woken", unit: run.unit("m/0"), by: "child", isInFlight: true }), []);
  const suspended = { type: "suspended", unit: run.unit("m/1"), wake: { child: true }, reason: "child" } as const;
  assertEquals(run.tell(suspended), ["record m/1", "wait m/1 for ever"]);
  assertEquals(run.woken("m/0", "child"), ["continue m/0 by child"]);
  assertEquals(run.completed("m/0"), ["record m/0", "park for ever"]);
});

test("a continuation that is given up is made again when the run is resumed", () => {
  const run = started([{ id: "a" }, { id: "b" }]);
  run.tell({ type: "suspended", unit: run.unit("a"), wake: { at: 9, message: true }, reason: "event" });
  run.woken("a");
  run.tell({ type: "paused" });
  assertEquals(run.abandoned("a"), []);
  assertEquals(run.tell({ type: "resumed" }), ["continue a by time"]);
});

test("an attempt that waits for a permit starts with it, and the wait does not count", () => {
  const run = started([{ id: "a" }]);
  const deferred = { type: "deferred", unit: run.unit("a"), wake: { permit: true } } as const;
  assertEquals(run.tell(deferred), ["record a", "wait a for ever", "park for ever"]);
  assertEquals(run.woken("a", "permit"), ["start a"]);
  assertEquals(run.attempts("a"), 1);
});

test("items start when the expansion is durable, no more at once than the limit", () => {
  const run = started(mapThen("finish", 2));
  assertEquals(run.expanded("m", 3), ["record m"]);
  assertEquals(run.durable("m"), ["start m/0", "start m/1"]);
  assertEquals(run.completed("m/1"), ["record m/1", "start m/2"]);
});

test("the node ends with its last item, in the same commit, and only then its dependents start", () => {
  const run = started(mapThen("finish", 2));
  run.expanded("m", 2);
  run.durable("m");
  assertEquals(run.completed("m/0"), ["record m/0"]);
  assertEquals(run.completed("m/1"), ["record m/1", "record m"]);
  assertEquals(run.durable("m/1"), []);
  assertEquals(run.durable("m"), ["start after"]);
});

test("a node without items completes at once", () => {
  const run = started(mapThen("stop", 2));
  assertEquals(run.expanded("m", 0), ["record m"]);
  assertEquals(run.durable("m"), ["start after"]);
});

test('"stop" aborts the other items, starts no more, and fails the node when they have settled', () => {
  const run = started(mapThen("stop", 2));
  run.expanded("m", 4);
  run.durable("m");
  assertEquals(run.failed("m/0"), ["record m/0", "abort m/1"]);
  assertEquals(run.failed("m/1"), ["record m", "record after", "end failed"]);
});

test('"stop" cancels the child runs of the other items, and fails the node when they have ended', () => {
  const run = started(mapThen("stop", 3));
  run.expanded("m", 4);
  run.durable("m");
  run.tell({ type: "suspended", unit: run.unit("m/1"), wake: { child: true }, reason: "child" });
  run.tell({ type: "suspended", unit: run.unit("m/2"), wake: { child: true }, reason: "child" });
  assertEquals(run.failed("m/0"), ["record m/0", "cancel children of m", "park for ever"]);
  assertEquals(run.woken("m/2", "child"), ["continue m/2 by child"]);
  assertEquals(run.completed("m/2"), ["record m/2", "park for ever"]);
  assertEquals(run.woken("m/1", "child"), ["continue m/1 by child"]);
  assertEquals(run.failed("m/1"), ["record m", "record after", "end failed"]);
});

test('"stop" keeps the result of an item that completes in spite of the abort', () => {
  const run = started(mapThen("stop", 2));
  run.expanded("m", 4);
  run.durable("m");
  run.failed("m/0");
  assertEquals(run.completed("m/1"), ["record m/1", "record m", "record after", "end failed"]);
});

test('"finish" runs every item and then fails', () => {
  const run = started(mapThen("finish", 1));
  run.expanded("m", 2);
  run.durable("m");
  assertEquals(run.failed("m/0"), ["record m/0", "start m/1"]);
  assertEquals(run.completed("m/1"), ["record m/1", "record m", "record after", "end failed"]);
});

test('"collect" never fails', () => {
  const run = started(mapThen("collect", 1));
  run.expanded("m", 1);
  run.durable("m");
  assertEquals(run.failed("m/0"), ["record m/0", "record m"]);
  assertEquals(run.durable("m"), ["start after"]);
});

test("an item between two attempts releases its slot, and continues before new items", () => {
  const run = started(mapThen("finish", 1));
  run.expanded("m", 3);
  run.durable("m");
  assertEquals(run.failed("m/0", 50), ["record m/0", "wait m/0 until 50", "start m/1"]);
  assertEquals(run.woken("m/0"), []);
  assertEquals(run.completed("m/1"), ["record m/1", "start m/0"]);
});

test("a suspended item keeps its place", () => {
  const run = started(mapThen("finish", 1));
  run.expanded("m", 2);
  run.durable("m");
  const suspended = { type: "suspended", unit: run.unit("m/0"), wake: { child: true }, reason: "child" } as const;
  assertEquals(run.tell(suspended), ["record m/0", "wait m/0 for ever", "park for ever"]);
});

test("a restored node continues with the items that have not ended, those in flight first", () => {
  const journal = [
    { ...recorded(0, "expanded"), items: 4 },
    recorded(0, "completed", 0),
    recorded(0, "running", 2),
  ];
  const run = started(mapThen("finish", 2), undefined, journal);
  assertEquals(run.commands, ["start m/2", "start m/1"]);
  assertEquals(run.completed("m/1"), ["record m/1", "start m/3"]);
});

test("a restored node of which an item had failed stops once more", () => {
  const journal = [{ ...recorded(0, "expanded"), items: 4 }, recorded(0, "failed", 0), recorded(0, "running", 1)];
  const run = started(mapThen("stop", 2), undefined, journal);
  assertEquals(run.commands, ["record m", "record after", "end failed"]);
});

test("a paused run starts no items, and starts them when it is resumed", () => {
  const run = started(mapThen("finish", 1));
  run.expanded("m", 2);
  run.durable("m");
  run.tell({ type: "paused" });
  assertEquals(run.completed("m/0"), ["record m/0", "release"]);
  assertEquals(run.tell({ type: "resumed" }), ["start m/1"]);
});

test("a million items are units only while they run", () => {
  const plan = planOf(dynamicWorkflow({ name: "large", tasks: [{ id: "m", run: () => null }] }));
  const policy: ItemPolicy = { concurrency: 100, isReversed: false, startsAtOnce: false, onFailure: "finish" };
  const large = { ...plan, nodes: plan.nodes.map((node) => ({ ...node, items: policy })) };
  const run = newRunState(large, { newUnit: (node, item) => new Unit(large, node, item) });
  advance(large, run, { type: "started" });
  advance(large, run, { type: "expanded", unit: run.units[0]!, items: 1_000_000 });
  let running = [...advance(large, run, { type: "durable", unit: run.units[0]! })];
  let most = 0;
  let ended = 0;
  while (running.length > 0) {
    most = Math.max(most, run.items?.get(0)?.open.size ?? 0);
    const units = running.flatMap((command) => command.do === "start" ? [command.unit] : []);
    running = units.flatMap((unit) => [
      ...advance(large, run, { type: "completed", unit }),
      ...advance(large, run, { type: "durable", unit }),
    ]);
    ended += units.length;
  }
  assertEquals({ most, ended, phase: run.phase }, { most: 100, ended: 1_000_000, phase: "ended" });
});

test("items that start at once do so before the expansion is durable, and the run is parked with them", () => {
  const run = started(mapThen("finish", 2, true));
  assertEquals(run.expanded("m", 3), ["record m", "start m/0", "start m/1"]);
  run.tell({ type: "suspended", unit: run.unit("m/0"), wake: { child: true }, reason: "child" });
  const suspended = { type: "suspended", unit: run.unit("m/1"), wake: { child: true }, reason: "child" } as const;
  assertEquals(run.tell(suspended), ["record m/1", "wait m/1 for ever", "park for ever"]);
  assertEquals(run.durable("m"), []);
});

test("an item ends with the child run that it waits for, and another starts in its place", () => {
  const run = started(mapThen("finish", 1, true));
  run.expanded("m", 2);
  run.tell({ type: "suspended", unit: run.unit("m/0"), wake: { child: true }, reason: "child" });
  assertEquals(run.tell({ type: "childEnded", unit: run.unit("m/0"), as: "completed" }), ["record m/0", "start m/1"]);
  run.tell({ type: "suspended", unit: run.unit("m/1"), wake: { child: true }, reason: "child" });
  assertEquals(run.tell({ type: "childEnded", unit: run.unit("m/1"), as: "failed" }), [
    "record m/1",
    "record m",
    "record after",
    "end failed",
  ]);
});

test("an item of a stopped node is dropped if its child run failed, too", () => {
  const run = started(mapThen("stop", 2, true));
  run.expanded("m", 2);
  for (const id of ["m/0", "m/1"]) {
    run.tell({ type: "suspended", unit: run.unit(id), wake: { child: true }, reason: "child" });
  }
  assertEquals(run.tell({ type: "childEnded", unit: run.unit("m/0"), as: "failed" }), [
    "record m/0",
    "cancel children of m",
    "park for ever",
  ]);
  assertEquals(run.tell({ type: "childEnded", unit: run.unit("m/1"), as: "failed" }), [
    "record m",
    "record after",
    "end failed",
  ]);
});

test("bodies that end faster than their results are written begin no more items than a bound", () => {
  const run = started(mapThen("finish", 1));
  run.expanded("m", 5_000);
  let begun = run.durable("m").length;
  for (let item = 0; item < begun; item++) {
    begun += run.completed(`m/${item}`).filter((command) => command.startsWith("start")).length;
  }
  assertEquals(begun, 1_000);
  assertEquals(run.durable("m/0"), ["start m/1000"]);
  assertEquals(run.durable("m/1"), []);
});

function mapThen(onFailure: ItemPolicy["onFailure"], concurrency: number, startsAtOnce = false): ExampleTask[] {
  return [{ id: "m", items: { onFailure, concurrency, isReversed: false, startsAtOnce } }, {
    id: "after",
    after: ["m"],
  }];
}
