// deno-lint-ignore-file no-unused-vars
// deno-fmt-ignore-file one line an example
// What must not compile when running, and what the compiler says: see negative_test.ts.
import { unchecked } from "../../lib/definition/schema.ts";
import type { TaskContext } from "../../lib/definition/context.ts";
import { task } from "../../lib/definition/task.ts";
import { type AnyWorkflow, type InputOf, workflow } from "../../lib/definition/workflow.ts";
import { createRunner } from "../../lib/engine/runner.ts";
import type { Runner } from "../../lib/engine/runner_interface.ts";
const small = workflow("small", { input: unchecked<{ id: string }>() }).task("load", { run: ({ input }) => ({ n: input.id.length }) }).event("approval", { schema: unchecked<{ ok: boolean }>() }).returns("load");
const free = workflow("free").task("a", { run: () => 1 });
const other = workflow("other").task("a", { run: () => "x" });
const runner = await createRunner("sqlite::memory:", { workflows: [small, free] });
const run = await runner.start(small, { id: "x" });
const noEvents = await runner.start(free);
const outcome = await run.outcome();
// ---- targets, inputs and options of a start
// @ts-expect-error Argument of type 'Workflow<"other", undefined, Step<"a", string, never, never, never, "a">, never, undefined>' is not assignable to parameter of type '"workflow 'other' is not registered with this runner"'.
runner.start(other);
// @ts-expect-error Argument of type '"smal"' is not assignable to parameter of type '"small" | "free"'.
runner.start("smal", { id: "x" });
// @ts-expect-error Object literal may only specify known properties, and 'uid' does not exist in type '{ id: string; }'.
runner.start(small, { uid: "x" });
// @ts-expect-error Expected 2-3 arguments, but got 1.
runner.start(small);
// @ts-expect-error Object literal may only specify known properties, but 'priorty' does not exist in type 'StartOptions'. Did you mean to write 'priority'?
runner.start(small, { id: "x" }, { priorty: 1 });
// @ts-expect-error … Type '{ delay: "1h"; startAt: Date; }' is not assignable to type '"`delay` and `startAt` exclude each other"'.
runner.start(small, { id: "x" }, { delay: "1h", startAt: new Date() });
// @ts-expect-error … Type '{ delay: number; startAt: number; }' is not assignable to type '"`delay` and `startAt` exclude each other"'.
runner.start(small, { id: "x" }, { delay: 5, startAt: 7 });
// @ts-expect-error … Type '{ keyScope: "active"; }' is not assignable to type '"`keyScope` needs a `key`"'.
runner.execute(small, { id: "x" }, { keyScope: "active" });
// @ts-expect-error … Type '{ ifExists: "reject"; }' is not assignable to type '"`ifExists` needs a `key`"'.
runner.start(small, { id: "x" }, { ifExists: "reject" });
// @ts-expect-error Type '"activ"' is not assignable to type 'KeyScope | undefined'. Did you mean '"active"'?
runner.start(small, { id: "x" }, { key: "k", keyScope: "activ" });
// @ts-expect-error … Type '{ debounce: { key: string; delay: "1s"; }; key: string; }' is not assignable to type '"`debounce` excludes `key`, `keyScope`, `ifExists`, `delay` and `startAt`"'.
runner.start(small, { id: "x" }, { debounce: { key: "k", delay: "1s" }, key: "k" });
// @ts-expect-error Property 'delay' is missing in type '{ key: string; }' but required in type 'DebounceOptions'.
runner.start(small, { id: "x" }, { debounce: { key: "k" } });
// @ts-expect-error Object literal may only specify known properties, and 'debounce' does not exist in type 'StartManyOptions<{ id: string; }>'.
runner.startMany(small, [{ id: "x" }], { debounce: { key: "k", delay: "1s" } });

// ---- handles and outcomes
// @ts-expect-error Argument of type '"aproval"' is not assignable to parameter of type '"approval"'.
run.send("aproval", { ok: true });
// @ts-expect-error Type 'number' is not assignable to type 'boolean'.
run.send("approval", { ok: 1 });
// @ts-expect-error Argument of type '"load"' is not assignable to parameter of type '"approval"'.
run.send("load", { ok: true });
// @ts-expect-error Argument of type '"approval"' is not assignable to parameter of type '"this workflow has no event tasks"'.
noEvents.send("approval", { ok: true });
// @ts-expect-error Type '"laod"' is not assignable to type '"load" | "approval" | undefined'.
run.fork({ from: "laod" });
// @ts-expect-error Property 'result' does not exist on type 'RunOutcome<{ n: number; }, { readonly load: { n: number; }; readonly approval: { ok: boolean; }; }>'.
outcome.result;
// @ts-expect-error 'outcome.outputs.load' is possibly 'undefined'.
outcome.outputs.load.n;

// ---- code that is generic over a workflow
// @ts-expect-error Argument of type 'Workflow<"small", { id: string; }, Step<"load", { n: number; }, never, never, never, "load"> | EventStep<"approval", { ok: boolean; }, { ok: boolean; }, never, never, never>, "load", { ...; }>' is not assignable to parameter of type 'Registered<W, Workflow<"small", { id: string; }, Step<"load", { n: number; }, never, never, never, "load"> | EventStep<"approval", { ok: boolean; }, { ok: boolean; }, never, never, never>, "load", { ...; }>>'.
async function helper<W extends AnyWorkflow>(runner: Runner<W>, input: InputOf<W>) { return await runner.start(small, input); }

// ---- starts in bodies
const inBody = (body: (ctx: TaskContext) => unknown) => task({ run: ({ ctx }: { ctx: TaskContext }) => { body(ctx); } });
// @ts-expect-error Object literal may only specify known properties, and 'uid' does not exist in type '{ id: string; }'.
inBody((ctx) => ctx.start(small, { uid: "x" }));
// @ts-expect-error Expected 2-3 arguments, but got 1.
inBody((ctx) => ctx.start(small));
// @ts-expect-error Object literal may only specify known properties, and 'signal' does not exist in type 'TaskStartOptions'.
inBody((ctx) => ctx.start(free, undefined, { signal: ctx.signal }));

// ---- items of maps
// @ts-expect-error Argument of type '"load"' is not assignable to parameter of type '"this workflow has no maps"'.
run.items("load");
