import { assertEquals, assertStringIncludes } from "@std/assert";
import { compilerTest } from "../harness.ts";
import { checkSource, type Complaint } from "./compiler.ts";

const PRELUDE = `
import { unchecked } from "../../lib/definition/schema.ts";
import { task } from "../../lib/definition/task.ts";
import { workflow } from "../../lib/definition/workflow.ts";
import { createClient } from "../../lib/engine/client/client.ts";
import { createRunner } from "../../lib/engine/runner.ts";
const base = workflow("etl", { input: unchecked<{ url: string }>() })
  .task("extract", { run: () => [{ id: 1 }] })
  .task("transform", { after: ["extract"], run: ({ extract }) => extract.map((row) => ({ ...row, ok: true })) });
const maybe = base.task("maybe", { after: ["extract"], when: ({ extract }) => extract.length > 0, run: () => ({ n: 1 }) });
const child = workflow("child", { input: unchecked<{ sku: string }>() }).task("q", { run: () => 1 }).returns("q");
const noInput = workflow("noInput").task("x", { run: () => 1 }).returns("x");
const runner = await createRunner("sqlite::memory:", { workflows: [base, noInput] });
const client = await createClient("sqlite://./app.db");
const outcome = await runner.execute("etl", { url: "" });
const handle = await runner.start("etl", { url: "" });
`;

// One line each: what a user writes, and what the compiler must say about it.
const MESSAGES: Readonly<Record<string, readonly [source: string, says: string]>> = {
  "a misspelt dependency is answered with the right id": [
    'base.task("load", { after: ["transfrom"], run: () => 1 });',
    `Type '"transfrom"' is not assignable to type '"extract" | "transform"'. Did you mean '"transform"'?`,
  ],
  "a misspelt dependency whose output is returned is answered with the right id, and nothing else": [
    'base.task("load", { after: ["transfrom"], run: ({ transfrom }) => transfrom });',
    `Type '"transfrom"' is not assignable to type '"extract" | "transform"'. Did you mean '"transform"'?`,
  ],
  "a dependency of the first task is answered with a sentence, not with never": [
    'workflow("w").task("a", { after: ["b"], run: () => 1 });',
    `Type '"b"' is not assignable to type '"there is no earlier task in this workflow"'`,
  ],
  "a task cannot depend on itself": [
    'base.task("load", { after: ["load"], run: () => 1 });',
    `Type '"load"' is not assignable to type '"extract" | "transform"'`,
  ],
  "a second task of the same id is named": [
    'base.task("extract", { run: () => 1 });',
    `not assignable to parameter of type '"there is already a task 'extract' in this workflow"'`,
  ],
  "a reserved id is named": [
    'base.task("input", { run: () => 1 });',
    `not assignable to parameter of type '"'input' is reserved: it names a task argument"'`,
  ],
  "a computed id is refused with a sentence": [
    'base.task("x" as string, { run: () => 1 });',
    `not assignable to parameter of type '"a task id must be a string literal"'`,
  ],
  "a Date is named with its path and its remedy": [
    'base.task("d", { run: () => ({ at: new Date() }) });',
    `Type '{ at: Date; }' is not assignable to type '"output.at is a Date - use date.toISOString()"'`,
  ],
  "a Date deep in an array of a promise is named with its path": [
    'base.task("d", { run: () => Promise.resolve({ rows: [{ id: 1, at: new Date() }] }) });',
    `'"output.rows[].at is a Date - use date.toISOString()"'`,
  ],
  "a Map is named with its remedy": [
    'base.task("m", { run: () => new Map([[1, 2]]) });',
    `Type 'Map<number, number>' is not assignable to type '"output is a Map - use Object.fromEntries(map)"'`,
  ],
  "a bigint is named with its remedy": [
    'base.task("b", { run: () => 10n });',
    `Type 'bigint' is not assignable to type '"output is a bigint - use String(n)"'`,
  ],
  "a function is named with its path": [
    'base.task("f", { run: () => ({ cb: () => 1 }) });',
    `not assignable to type '"output.cb is a function"'`,
  ],
  "any is refused with a sentence": [
    'base.task("a", { run: async () => (await fetch("x")).json() });',
    '"output is `any` - annotate or validate it"',
  ],
  "a body of its own is refused where it is written": [
    "task({ run: () => ({ at: new Date() }) });",
    `not assignable to type '"output.at is a Date - use date.toISOString()"'`,
  ],
  "an output that may be skipped is possibly undefined": [
    'maybe.task("use", { after: ["maybe"], run: ({ maybe }) => maybe.n });',
    "'maybe' is possibly 'undefined'",
  ],
  "an output that is not named does not exist": [
    'base.task("load", { after: ["extract"], run: ({ transform }) => transform });',
    "Property 'transform' does not exist on type",
  ],
  "a misspelt trigger is answered with the right one": [
    'base.task("use", { after: ["extract"], on: "anyFaild", run: () => 1 });',
    `Type '"anyFaild"' is not assignable to type 'Trigger'. Did you mean '"anyFailed"'?`,
  ],
  "a result that is no task lists the tasks": [
    'base.returns("laod");',
    `Argument of type '"laod"' is not assignable to parameter of type '"extract" | "transform"'`,
  ],
  "a name that no workflow has lists the names": [
    'runner.execute("elt", { url: "" });',
    `Argument of type '"elt"' is not assignable to parameter of type '"etl" | "noInput"'`,
  ],
  "a workflow that the runner does not know is named": [
    'runner.execute(child, { sku: "" });',
    `not assignable to parameter of type '"workflow 'child' is not registered with this runner"'`,
  ],
  "many runs of a workflow that the runner does not know are refused with its name": [
    'runner.startMany(child, [{ sku: "" }]);',
    `not assignable to parameter of type '"workflow 'child' is not registered with this runner"'`,
  ],
  "a client without workflows says that it has none": [
    'client.start("etl");',
    `not assignable to parameter of type '"no workflow is registered here"'`,
  ],
  "an input of the wrong type is answered at its member": [
    "runner.execute(base, { url: 1 });",
    "Type 'number' is not assignable to type 'string'.",
  ],
  "an input that is missing is answered as a missing argument": [
    "runner.execute(base);",
    "Expected 2-3 arguments, but got 1.",
  ],
  "a misspelt member of the input is named": [
    'runner.execute("etl", { uri: "x" });',
    "Object literal may only specify known properties, and 'uri' does not exist in type '{ url: string; }'.",
  ],
  "an input for a workflow that takes none is refused": [
    'runner.execute("noInput", { url: "x" });',
    "is not assignable to parameter of type 'undefined'",
  ],
  "a misspelt option of a start is answered with the right one": [
    "runner.start(noInput, undefined, { priorty: 1 });",
    "'priorty' does not exist in type 'StartOptions'. Did you mean to write 'priority'?",
  ],
  "a misspelt task of a result is answered with the right one": [
    'if (outcome.status === "completed") outcome.result.trasform;',
    "Did you mean 'transform'?",
  ],
  "a result of the wrong type says both": [
    'if (outcome.status === "completed") { const s: string = outcome.result.extract; }',
    "Type '{ id: number; }[]' is not assignable to type 'string'.",
  ],
  "a result before the outcome is looked at does not exist": [
    "outcome.result;",
    "Property 'result' does not exist on type 'RunOutcome<",
  ],
  "an output of an outcome is possibly undefined": [
    "outcome.outputs.extract.length;",
    "'outcome.outputs.extract' is possibly 'undefined'.",
  ],
  "a fork from a task that there is none lists the tasks": [
    'handle.fork({ from: "laod" });',
    `Type '"laod"' is not assignable to type '"extract" | "transform"`,
  ],
};

const firstLine = PRELUDE.split("\n").length;
let checked: readonly Complaint[] | undefined;

Object.entries(MESSAGES).forEach(([name, [source, says]], i) => {
  compilerTest(name, () => {
    checked ??= checkSource(PRELUDE + Object.values(MESSAGES).map(([source]) => source).join("\n")).complaints;
    const complaints = checked.filter((complaint) => complaint.line === firstLine + i);
    assertEquals(complaints.length, 1, `${source}\n${JSON.stringify(complaints, undefined, 2)}`);
    assertStringIncludes(complaints[0]!.message, says);
  });
});

compilerTest("the compiler says nothing about the lines that are right", () => {
  assertEquals(checkSource(PRELUDE).complaints, []);
});
