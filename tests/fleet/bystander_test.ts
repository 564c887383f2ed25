/** What a runner costs that has nothing to do while another one works. */
import { assert } from "@std/assert";
import { createRunner, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { testSchema } from "../store/postgres_schema.ts";

const work = workflow("work").task("a", { run: () => 1 }).returns("a");
const RUNS = 500;

test("a bystander executes no statement for the runs of another runner", async () => {
  await using on = testSchema();
  const options = { schema: on.schema, workflows: [work] };
  await using busy = await createRunner(on.url, options);
  await using bystander = await createRunner(on.url, options);
  const executed = async (): Promise<number> => (await bystander.stats()).store.statements;
  // Opening, and the listener's first call, are over.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = await executed();
  const began = performance.now();
  for (let n = 0; n < RUNS; n++) await busy.execute(work);
  const seconds = (performance.now() - began) / 1_000;
  const more = await executed() - before - 1;
  // Its polls go on, a statement a second at most; the 500 runs add none.
  assert(more <= 2 + seconds * 1.5, `${more} statements in ${seconds} s beside ${RUNS} runs`);
});
