/** What a start does if a run with its key exists. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { KeyConflictError, type Schema, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import { open } from "./open.ts";

const flow = workflow("flow", { input: unchecked<{ n: number }>() }).task("work", { run: ({ input }) => input.n });

test("a handle says whether its call inserted the run", async () => {
  await using opened = await open([flow]);
  const { runner } = opened;
  const first = await runner.start(flow, { n: 1 }, { key: "k" });
  const second = await runner.start(flow, { n: 2 }, { key: "k" });
  const many = await runner.startMany(flow, [{ n: 3 }, { n: 4 }], { key: (_, at) => at === 0 ? "k" : "new" });
  assertEquals([first, second, ...many].map(({ isNew }) => isNew), [true, false, false, true]);
  assertEquals([second.id, many[0]!.id, runner.get(first.id).isNew], [first.id, first.id, false]);
});

test("ifExists compares the input with that of the run, or rejects any run with the key", async () => {
  await using opened = await open([flow]);
  const { runner } = opened;
  const { id } = await runner.start(flow, { n: 1 }, { key: "k", ifExists: "reject" });
  assertEquals((await runner.start(flow, { n: 1 }, { key: "k", ifExists: "compare" })).id, id);
  for (
    const call of [
      () => runner.start(flow, { n: 2 }, { key: "k", ifExists: "compare" }),
      () => runner.start(flow, { n: 1 }, { key: "k", ifExists: "reject" }),
      () => runner.execute(flow, { n: 2 }, { key: "k", ifExists: "compare" }),
      () => runner.startMany(flow, [{ n: 2 }], { key: () => "k", ifExists: "compare" }),
    ]
  ) {
    const error = await assertRejects(async () => await call(), KeyConflictError);
    assert(error.code === "key_conflict");
    assertEquals([error.runId, error.key], [id, "k"]);
  }
  assertEquals((await runner.list()).runs.length, 1);
  await assertRejects(
    () => runner.start(flow, { n: 1 }, { key: "k", ifExists: "replace" as "reject" }),
    TypeError,
    "ifExists",
  );
});

test("startMany() validates all inputs at once where the schema is asynchronous", async () => {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const schema: Schema<number, number> = {
    "~standard": {
      version: 1,
      vendor: "slow",
      validate: async (value) => {
        // The last one releases all others: one after the other they would wait for ever.
        if (++asked === 5) gate.resolve();
        await gate.promise;
        return { value: Number(value) };
      },
    },
  };
  const slow = workflow("slow", { input: schema }).task("work", { run: ({ input }) => input });
  await using opened = await open([slow]);
  const runs = await within("all validations", opened.runner.startMany(slow, [1, 2, 3, 4, 5]));
  assertEquals(runs.length, 5);
});
