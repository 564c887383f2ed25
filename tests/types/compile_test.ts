import { assert, assertEquals } from "@std/assert";
import { compilerTest } from "../harness.ts";
import { checkFile, checkSource } from "./compiler.ts";

for (
  const name of ["examples.ts", "inferred.ts", "refused.ts", "bodies.ts", "running.ts", "transactions.ts", "kinds.ts"]
) {
  compilerTest(
    `${name} compiles, and each line that must not does not`,
    () => assertEquals(checkFile(name).complaints, []),
  );
}

compilerTest("a workflow of 200 tasks costs the compiler at most 1,200,000 instantiations and 52,000 types", () => {
  const { complaints, instantiations, types } = checkSource(workflowOf(200));
  assertEquals(complaints, []);
  // 1,092,037 and 46,758 when this was written.
  assert(instantiations < 1_200_000, `${instantiations} instantiations`);
  assert(types < 52_000, `${types} types`);
});

compilerTest("a task costs the compiler no more than a few comparisons with each task before it", () => {
  const [half, whole] = [checkSource(workflowOf(50)).instantiations, checkSource(workflowOf(100)).instantiations];
  assert(whole < 400_000, `100 tasks took ${whole} instantiations`);
  assert(whole < half * 3.5, `50 tasks took ${half} instantiations, 100 tasks ${whole}`);
});

compilerTest("a workflow of 200 tasks of all kinds costs the compiler at most 1,200,000 instantiations", () => {
  const { complaints, instantiations } = checkSource(mixedWorkflowOf(200));
  assertEquals(complaints, []);
  // 1,070,094 when this was written.
  assert(instantiations < 1_200_000, `${instantiations} instantiations`);
});

compilerTest("limits cost the compiler at most half of what the tasks that state them cost", () => {
  const limits = (after: readonly string[]) =>
    `limits: [{ key: ({ ${after[0] ?? "status"} }) => \`\${${after[0] ?? "status"}}\`, max: 1 }], `;
  const [without, { complaints, instantiations }] = [checkSource(workflowOf(50)), checkSource(workflowOf(50, limits))];
  assertEquals(complaints, []);
  assert(instantiations < without.instantiations * 1.5, `${without.instantiations}, with limits ${instantiations}`);
});

/** Of fifteen tasks nine have a body; every tenth task reads a further ancestor. */
function mixedWorkflowOf(size: number): string {
  const kinds = Array.from({ length: size }, (_, i) => ({ 1: "map", 7: "event", 11: "sleep", 14: "collect" })[i % 15]);
  const tasks = kinds.map((kind, i) => {
    const after = [...new Set([i - 1, i - 2, Math.floor(i / 2)])].filter((j) => j >= 0 && j < i);
    const read = i % 10 === 9 && !after.includes(i - 4) ? ` reads: ["t${i - 4}"],` : "";
    const common = `after: [${after.map((j) => `"t${j}"`).join(", ")}],${read}`;
    const names = after.map((j) => `t${j}`).join(", ");
    const sum = ["1", ...after.map((j) => numberOf(kinds[j], `t${j}`))].join(" + ");
    switch (kind) {
      case "map":
      case "collect": {
        const policy = kind === "collect" ? ' onItemFailure: "collect",' : "";
        return `.map("t${i}", { ${common}${policy} over: ({ input }) => input.ids, ` +
          `run: ({ item, index, ctx, ${names} }) => ({ n: item + index + ${sum}, k${i}: ctx.runId }) })`;
      }
      case "event":
        return `.event("t${i}", { ${common} schema: unchecked<{ n: number; k${i}: string }>(), timeout: "3d" })`;
      case "sleep":
        return `.sleep("t${i}", { ${common} for: ({ ${names} }) => 1000 * (${sum}) })`;
      default:
        return `.task("t${i}", { ${common} retry: 3, run: ({ ctx, ${names} }) => ({ n: ${sum}, k${i}: ctx.runId }) })`;
    }
  });
  return [
    'import { unchecked } from "../../lib/definition/schema.ts";',
    'import { workflow } from "../../lib/definition/workflow.ts";',
    'export const w = workflow("w", { input: unchecked<{ ids: number[] }>() })',
    ...tasks,
    ".toMermaid();",
  ].join("\n");
}

function numberOf(kind: string | undefined, id: string): string {
  switch (kind) {
    case "map":
    case "collect":
      return `${id}.length`;
    case "event":
      return `(${id}?.n ?? 0)`;
    case "sleep":
      return `(${id} ?? 0)`;
    default:
      return `${id}.n`;
  }
}

function workflowOf(size: number, more: (after: readonly string[]) => string = () => ""): string {
  const tasks = Array.from({ length: size }, (_, i) => {
    const after = [...new Set([i - 1, i - 2, Math.floor(i / 2)])].filter((j) => j >= 0 && j < i).map((j) => `t${j}`);
    const sum = ["1", ...after.map((id) => `${id}.n`)].join(" + ");
    return `.task("t${i}", { after: ${JSON.stringify(after)}, ${more(after)}` +
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
