// What must not compile. What the compiler says is tested in messages_test.ts.
import { z } from "zod";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { workflow } from "../../lib/definition/workflow.ts";

interface Row {
  id: number;
}
const base = workflow("etl", { input: unchecked<{ url: string }>() })
  .task("extract", { run: (): Promise<Row[]> => Promise.resolve([]) })
  .task("transform", { after: ["extract"], run: ({ extract }) => extract.map((row) => ({ ...row, ok: true })) });

// ---- dependencies
// @ts-expect-error misspelt
base.task("load", { after: ["transfrom"], run: () => 1 });
// @ts-expect-error a cycle cannot be written: a later task cannot be named
workflow("w").task("a", { after: ["b"], run: () => 1 }).task("b", { after: ["a"], run: () => 1 });
// @ts-expect-error itself
base.task("load", { after: ["load"], run: () => 1 });
// @ts-expect-error no list
base.task("load", { after: "extract", run: () => 1 });

// ---- what a body reads
// @ts-expect-error not declared
base.task("load", { after: ["extract"], run: ({ transform }) => transform });
// @ts-expect-error possibly undefined, by noUncheckedIndexedAccess
base.task("load", { after: ["extract"], run: ({ extract }) => extract[0].id });
const readsStrings = (_: { extract: { id: string }[] }) => 1;
// @ts-expect-error a body from elsewhere whose parameter has another type
base.task("load", { after: ["extract"], run: readsStrings });
const readsMore = (_: { extract: Row[]; transform: Row[] }) => 1;
// @ts-expect-error a body from elsewhere that needs more than `after` names
base.task("load", { after: ["extract"], run: readsMore });
// @ts-expect-error no such member of the input
base.task("load", { run: ({ input }) => input.uri });
// @ts-expect-error the status of a task that `after` does not name
base.task("load", { after: ["extract"], run: ({ status }) => status.transform });

// ---- ids
// @ts-expect-error taken
base.task("extract", { run: () => 1 });
// @ts-expect-error reserved
base.task("input", { run: () => 1 });
// @ts-expect-error reserved by the language
base.task("__proto__", { run: () => 1 });
// @ts-expect-error empty
base.task("", { run: () => 1 });
declare const computed: string;
// @ts-expect-error no literal
base.task(computed, { run: () => 1 });

// ---- outputs that JSON would corrupt
// @ts-expect-error a Date
base.task("f1", { run: () => ({ at: new Date() }) });
// @ts-expect-error a Date within an array
base.task("f2", { run: () => Promise.resolve({ rows: [{ id: 1, at: new Date() }] }) });
// @ts-expect-error a Map
base.task("f3", { after: ["extract"], run: ({ extract }) => new Map(extract.map((row) => [row.id, row])) });
// @ts-expect-error a bigint
base.task("f4", { run: () => 10n });
// @ts-expect-error any
base.task("f5", { run: async () => (await fetch("x")).json() });
// @ts-expect-error a function
base.task("f6", { run: () => ({ cb: () => 1 }) });
// @ts-expect-error a Set
base.task("f7", { run: () => ({ ids: new Set([1]) }) });
// @ts-expect-error a RegExp
base.task("f8", { run: () => [/x/] });
// @ts-expect-error binary data
base.task("f9", { run: () => new Uint8Array(8) });
// @ts-expect-error a missing await
base.task("f10", { run: () => ({ body: Promise.resolve(1) }) });
// @ts-expect-error a symbol
base.task("f11", { run: () => Symbol("x") });
// @ts-expect-error toJSON()
base.task("f12", { run: () => new URL("https://example.org") });
// @ts-expect-error undefined in an array
base.task("f13", { run: () => [1, undefined] });
// @ts-expect-error an input with a Date in it
workflow("dated", { input: z.object({ at: z.date() }) });

// ---- conditions and triggers
base.task("maybe", { after: ["extract"], when: ({ extract }) => extract.length > 0, run: () => ({ n: 1 }) })
  // @ts-expect-error 'maybe' is possibly 'undefined'
  .task("use", { after: ["maybe"], run: ({ maybe }) => maybe.n });
// @ts-expect-error 'extract' is possibly 'undefined'
base.task("use", { after: ["extract"], on: "settled", run: ({ extract }) => extract.length });
// @ts-expect-error no such trigger
base.task("use", { after: ["extract"], on: "anyFaild", run: () => 1 });
// @ts-expect-error a condition returns true or false
base.task("use", { when: () => "yes", run: () => 1 });

// ---- options
// @ts-expect-error no body
base.task("use", {});
// @ts-expect-error unknown option
base.task("use", { retries: 3, run: () => 1 });
// @ts-expect-error unknown member of the policy
base.task("use", { retry: { attempt: 3 }, run: () => 1 });
// @ts-expect-error no duration
base.task("use", { timeout: "5 minutes", run: () => 1 });
// @ts-expect-error unknown option of a workflow
workflow("w", { desc: "x" });
// @ts-expect-error no schema
workflow("w", { input: { url: "string" } });

// ---- the result
// @ts-expect-error no such task
base.returns("laod");
// @ts-expect-error a workflow without tasks has nothing to return
workflow("w").returns("a");

// ---- the untyped door
// @ts-expect-error no such kind
dynamicWorkflow({ name: "w", tasks: [{ id: "a", kind: "maps", run: () => 1 }] });
// @ts-expect-error no body
dynamicWorkflow({ name: "w", tasks: [{ id: "a" }] });
