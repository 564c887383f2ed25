/** Recorded runs against new code. */
import { assertEquals, assertRejects } from "@std/assert";
import { type AnyWorkflow, unchecked, workflow } from "../../mod.ts";
import { createTestRunner, type RecordedRun, recordRun, replay } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";

const numbers = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: (value: unknown) => typeof value === "number" ? { value } : { issues: [{ message: "not a number" }] },
  },
};

const before = workflow("w", { input: unchecked<string>() })
  .task("a", { run: () => 1 })
  .event("e", { after: ["a"], schema: unchecked<string>() })
  .task("b", { after: ["e"], run: () => 2 })
  .sleep("s", { after: ["b"], for: "1d" })
  .task("c", { after: ["s"], run: () => 3 });

/** A run that has come as far as its sleep, as it comes back from a file. */
async function recorded(): Promise<RecordedRun> {
  await using runner = await createTestRunner({ workflows: [before] });
  const run = await runner.start(before, "x");
  await run.send("e", "y");
  await runner.advance("1h");
  return JSON.parse(JSON.stringify(await recordRun(run)));
}

async function problems(after: AnyWorkflow): Promise<readonly string[]> {
  return (await replay(await recorded(), after)).map(({ taskId, problem }) =>
    taskId === undefined ? problem : `${taskId}: ${problem}`
  );
}

test("code that keeps the recorded tasks can be deployed, whatever it does to those that have not begun", async () => {
  assertEquals(await problems(before), []);
  const changed = workflow("w", { input: unchecked<string>() })
    .task("new", { run: () => 0 })
    .task("a", { run: () => 10 })
    .event("e", { after: ["a"], schema: unchecked<string>() })
    .task("b", { after: ["e"], run: () => 20 })
    .sleep("s", { after: ["b"], for: "2d" })
    .task("d", { after: ["s", "new"], run: () => 4 });
  assertEquals(await problems(changed), []);
});

test("what a runner would park the run for is a problem, and the runner does", async () => {
  const base = workflow("w", { input: unchecked<string>() }).task("a", { run: () => 1 });
  const removed = base.task("b", { run: () => 2 });
  const otherKind = base.task("e", { after: ["a"], run: () => "" }).task("b", { after: ["e"], run: () => 2 })
    .sleep("s", { after: ["b"], for: "1d" });
  const otherDependencies = base.event("e", { after: ["a"], schema: unchecked<string>() })
    .task("b", { after: ["a"], run: () => 2 }).sleep("s", { after: ["b"], for: "1d" });
  assertEquals(await problems(removed), ['task "e" has a recorded result and was removed']);
  assertEquals(await problems(otherKind), ['task "e" changed its kind from event to task']);
  assertEquals(await problems(otherDependencies), ['task "b" has different dependencies']);

  await using runner = await createTestRunner({ workflows: [before] });
  const run = await runner.start(before, "x");
  await run.send("e", "y");
  await runner.advance("1h");
  for (const after of [removed, otherKind, otherDependencies]) {
    await runner.restart({ workflows: [after] });
    await runner.advance("1d");
    assertEquals((await runner.stranded()).map(({ id }) => id), [run.id]);
  }
  await runner.restart({ workflows: [before] });
  assertEquals(await runner.until(run.outcome().then(({ status }) => status)), "completed");
});

test("an input or a message that the schema of today refuses is a problem", async () => {
  const strict = workflow("w", { input: numbers })
    .task("a", { run: () => 1 })
    .event("e", { after: ["a"], schema: numbers })
    .task("b", { after: ["e"], run: () => 2 })
    .sleep("s", { after: ["b"], for: "1d" });
  assertEquals(await problems(strict), [
    "its input: the schema rejects it: not a number",
    "e: its message: the schema rejects it: not a number",
  ]);
});

test("what is no recorded run, one of another workflow, and what is no workflow are refused", async () => {
  const run = await recorded();
  await assertRejects(
    () => replay({} as RecordedRun, before),
    TypeError,
    "Cannot replay runs: expected { run, tasks }",
  );
  await assertRejects(
    () => replay(run, workflow("other").task("a", { run: () => 1 })),
    TypeError,
    `Cannot replay run "${run.run.id}": it is one of workflow "w", not "other"`,
  );
  await assertRejects(
    () => replay([run], "w" as unknown as AnyWorkflow),
    TypeError,
    'Cannot replay runs: expected a workflow that workflow() returned, not "w"',
  );
});
