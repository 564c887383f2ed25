import { assertEquals, assertStringIncludes } from "@std/assert";
import { test } from "../harness.ts";
import { checkSource, type Complaint } from "./compiler.ts";

const PRELUDE = `
import { unchecked } from "../../lib/definition/schema.ts";
import { task } from "../../lib/definition/task.ts";
import type { Registered, Resolve } from "../../lib/definition/targets.ts";
import { type AnyWorkflow, workflow } from "../../lib/definition/workflow.ts";
const base = workflow("etl", { input: unchecked<{ url: string }>() })
  .task("extract", { run: () => [{ id: 1 }] })
  .task("transform", { after: ["extract"], run: ({ extract }) => extract.map((row) => ({ ...row, ok: true })) });
const maybe = base.task("maybe", { after: ["extract"], when: ({ extract }) => extract.length > 0, run: () => ({ n: 1 }) });
type Known = typeof base | typeof maybe;
declare function execute<const T extends Known["name"] | AnyWorkflow>(target: Registered<Known, T>): void;
`;

// One line each: what a user writes, and what the compiler must say about it.
const MESSAGES: Readonly<Record<string, readonly [source: string, says: string]>> = {
  "a misspelt dependency is answered with the right id": [
    'base.task("load", { after: ["transfrom"], run: () => 1 });',
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
    'execute("elt");',
    `not assignable to parameter of type '"etl"'`,
  ],
  "a workflow that the runner does not know is named": [
    'execute(workflow("other").task("a", { run: () => 1 }));',
    `not assignable to parameter of type '"workflow 'other' is not registered with this runner"'`,
  ],
};

const firstLine = PRELUDE.split("\n").length;
let checked: readonly Complaint[] | undefined;

Object.entries(MESSAGES).forEach(([name, [source, says]], i) => {
  test(name, () => {
    checked ??= checkSource(PRELUDE + Object.values(MESSAGES).map(([source]) => source).join("\n")).complaints;
    const complaints = checked.filter((complaint) => complaint.line === firstLine + i);
    assertEquals(complaints.length, 1, `${source}\n${JSON.stringify(complaints, undefined, 2)}`);
    assertStringIncludes(complaints[0]!.message, says);
  });
});

test("the compiler says nothing about the lines that are right", () => {
  assertEquals(checkSource(PRELUDE).complaints, []);
});
