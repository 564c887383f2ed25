/** Child runs in a fleet: any runner may claim them, and their ends reach the parent in any runner. */
import { assert, assertEquals } from "@std/assert";
import { createRunner, type Runner, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { testSchema } from "../store/postgres_schema.ts";
import { until } from "../within.ts";

/** A parent with a map of child runs, whose bodies wait at a gate and record which runner started them. */
function family(begun: number[], gate: Promise<void>) {
  const child = workflow("child", { version: "1", input: unchecked<number>() }).task("work", {
    async run({ input }) {
      begun.push(input);
      await gate;
      return input * 2;
    },
  }).returns("work");
  return workflow("parent", { version: "1", input: unchecked<number[]>() })
    .map("all", { over: ({ input }) => input, workflow: child, input: ({ item }) => item })
    .returns("all");
}

test("the child runs of a map are shared by the runners of a fleet, and their parent completes with all results", async () => {
  await using schema = testSchema();
  const gate = Promise.withResolvers<void>();
  const begun: number[][] = [[], [], []];
  const runners: Runner<ReturnType<typeof family>>[] = [];
  for (const own of begun) {
    const store = await schema.open();
    runners.push(await createRunner(store, { workflows: [family(own, gate.promise)], concurrency: 2 }));
  }
  const items = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const run = await runners[0]!.start("parent", items);
  await until(() => begun.every((own) => own.length === 2));
  gate.resolve();
  assertEquals(await run.result(), items.map((item) => item * 2));
  assertEquals(begun.flat().toSorted(), items);
  for (const runner of runners) await runner.stop();
});

test("a parent whose runner has stopped is claimed by another runner, and receives the ends of children in other runners", async () => {
  await using schema = testSchema();
  const gate = Promise.withResolvers<void>();
  const begun: number[][] = [[], []];
  const [first, second] = await Promise.all(begun.map(async (own) => {
    return await createRunner(await schema.open(), { workflows: [family(own, gate.promise)], concurrency: 2 });
  }));
  const run = await first!.start("parent", [0, 1, 2, 3]);
  await until(() => begun.every((own) => own.length === 2));
  const stopped = first!.stop({ timeout: 0 });
  gate.resolve();
  await stopped;
  assertEquals(await second!.get(run.id).result(), [0, 2, 4, 6]);
  assert(begun[1]!.length >= 2);
  await second!.stop();
});
