/** What an editor shows of what a program holds: the types that it needs, and not the whole workflow. */
import { assertEquals } from "@std/assert";
import { compilerTest } from "../harness.ts";
import { hoversOf } from "./compiler.ts";

const TASKS = Array.from({ length: 12 }, (_, at) => `.task("t${at}", { run: () => ${at} })`).join("");

const PROGRAM = `
import { createRunner, unchecked, workflow } from "../../mod.ts";

const flow = workflow("flow", { input: unchecked<{ url: string }>() })
  .task("read", { run: ({ input }) => [{ id: 1, from: input.url }] })
  .event("approval", { after: ["read"], schema: unchecked<{ by: string }>() })
  .task("load", { after: ["read"], run: ({ read }) => ({ written: read.length }) })
  .returns("load");
const large = workflow("large")${TASKS}.returns("t3");
const runner = await createRunner("sqlite::memory:", { workflows: [flow, large] });
const run = await runner.start("flow", { url: "" });
const outcome = await runner.execute("flow", { url: "" });
const result = await run.result();
const long = await runner.execute("large");
const first = await (await runner.start(large)).result();
`;

compilerTest("an editor shows of a run and its outcome the result and the outputs", () => {
  const hovers = hoversOf(PROGRAM, ["run", "outcome", "result", "first"]);
  const outputs = `{
    readonly read: {
        id: number;
        from: string;
    }[];
    readonly approval: {
        by: string;
    };
    readonly load: {
        written: number;
    };
}`;
  assertEquals(hovers, {
    run: `const run: RunHandle<{
    written: number;
}, ${outputs}, {
    url: string;
}, {
    readonly approval: {
        by: string;
    };
}>`,
    outcome: `const outcome: RunOutcome<{
    written: number;
}, ${outputs}>`,
    result: `const result: {
    written: number;
}`,
    first: "const first: number",
  });
});

compilerTest("an editor shows one line for each task of a large workflow, and nothing of its types", () => {
  const { long } = hoversOf(PROGRAM, ["long"]);
  const lines = Array.from({ length: 12 }, (_, at) => `    readonly t${at}: number;\n`).join("");
  assertEquals(long, `const long: RunOutcome<number, {\n${lines}}>`);
});
