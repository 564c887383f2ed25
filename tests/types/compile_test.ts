import { assert, assertEquals } from "@std/assert";
import { test } from "../harness.ts";
import { checkFile, checkSource } from "./compiler.ts";

for (
  const name of ["examples.ts", "inferred.ts", "refused.ts", "bodies.ts", "running.ts", "transactions.ts", "kinds.ts"]
) {
  test(`${name} compiles, and each line that must not does not`, () => assertEquals(checkFile(name).complaints, []));
}

test("a workflow of 200 tasks costs the compiler at most 1,200,000 instantiations and 52,000 types", () => {
  const { complaints, instantiations, types } = checkSource(workflowOf(200));
  assertEquals(complaints, []);
  // 1,092,037 and 46,758 when this was written.
  assert(instantiations < 1_200_000, `${instantiations} instantiations`);
  assert(types < 52_000, `${types} types`);
});

test("a task costs the compiler no more than a few comparisons with each task before it", () => {
  const [half, whole] = [checkSource(workflowOf(50)).instantiations, checkSource(workflowOf(100)).instantiations];
  assert(whole < 400_000, `100 tasks took ${whole} instantiations`);
  assert(whole < half * 3.5, `50 tasks took ${half} instantiations, 100 tasks ${whole}`);
});

function workflowOf(size: number): string {
  const tasks = Array.from({ length: size }, (_, i) => {
    const after = [...new Set([i - 1, i - 2, Math.floor(i / 2)])].filter((j) => j >= 0 && j < i).map((j) => `t${j}`);
    const sum = ["1", ...after.map((id) => `${id}.n`)].join(" + ");
    return `.task("t${i}", { after: ${JSON.stringify(after)}, ` +
      `run: ({ ${["ctx", ...after].join(", ")} }) => ({ n: ${sum}, k${i}: ctx.runId }) })`;
  });
  return [
    'import { type ResultOf, workflow } from "../../lib/definition/workflow.ts";',
    'export const w = workflow("w")',
    ...tasks,
    `.returns("t${size - 1}");`,
    `export const n = (result: ResultOf<typeof w>): number => result.n + result.k${size - 1}.length;`,
  ].join("\n");
}
