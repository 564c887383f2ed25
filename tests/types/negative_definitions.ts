// deno-lint-ignore-file require-await
// deno-fmt-ignore-file one line an example
// What must not compile, and what the compiler says: its first line, or after "…" its last one. See negative_test.ts.
import type { Child } from "../../lib/definition/child.ts";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import type { Limit } from "../../lib/definition/limit.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { task } from "../../lib/definition/task.ts";
import { workflow } from "../../lib/definition/workflow.ts";
interface Row { id: number }
const base = workflow("etl", { input: unchecked<{ url: string }>() })
  .task("extract", { run: (): Promise<Row[]> => Promise.resolve([]) })
  .task("transform", { after: ["extract"], run: ({ extract }) => extract.map((row) => ({ ...row, ok: true })) })
  .task("maybe", { after: ["transform"], when: () => true, run: () => 1 });

// ---- option names
// @ts-expect-error Type 'number' is not assignable to type '"unknown option 'retries' - did you mean 'retry'?"'.
base.task("x", { retries: 3, run: () => 1 });
// @ts-expect-error Type 'number' is not assignable to type '"unknown option 'retries' - did you mean 'retry'?"'.
base.task("x", { after: ["extract"], retries: 3, run: ({ extract }) => extract.length });
// @ts-expect-error Type 'string[]' is not assignable to type '"unknown option 'dependsOn' - did you mean 'after'?"'.
base.task("x", { dependsOn: ["extract"], run: () => 1 });
// @ts-expect-error Type 'string[]' is not assignable to type '"unknown option 'dependsOn' - did you mean 'after'?"'.
base.task("x", { dependsOn: ["extract"], run: ({ extract }) => extract });
// @ts-expect-error Type 'true' is not assignable to type '"unknown option 'settle' - did you mean 'on'?"'.
base.task("x", { settle: true, run: () => 1 });
// @ts-expect-error Type '"1s"' is not assignable to type '"unknown option 'timout' - did you mean 'timeout'?"'.
base.task("x", { timout: "1s", run: ({ input }) => input.url });
// @ts-expect-error Type 'number' is not assignable to type '"unknown option 'concurrency'"'.
base.task("x", { concurrency: 4, run: () => 1 });

// ---- names in `after` and `reads`
// @ts-expect-error Type '"transfrom"' is not assignable to type '"extract" | "transform" | "maybe"'. Did you mean '"transform"'?
base.task("x", { after: ["transfrom"], run: ({ transfrom }) => transfrom.length });
// @ts-expect-error Type '"transfrom"' is not assignable to type '"extract" | "transform" | "maybe"'. Did you mean '"transform"'?
base.task("x", { after: ["transfrom"], run: ({ transfrom }) => transfrom });
// @ts-expect-error Type '"transfrom"' is not assignable to type '"extract" | "transform" | "maybe"'. Did you mean '"transform"'?
base.task("x", { after: ["extract", "transfrom"], run: ({ extract, transfrom }) => extract.length + transfrom.length });
// @ts-expect-error Type '"extrct"' is not assignable to type '"extract" | "transform"'. Did you mean '"extract"'?
base.task("x", { after: ["transform"], reads: ["extrct"], run: ({ extrct }) => extrct });
// @ts-expect-error Type '"transform"' is not assignable to type '"extract"'.
base.task("x", { after: ["extract"], reads: ["transform"], run: ({ transform }) => transform });
// @ts-expect-error Type '"transform"' is not assignable to type '"a task without `after` has no ancestors to read"'.
base.task("x", { reads: ["transform"], run: ({ transform }) => transform });
// @ts-expect-error Type '"zzz"' is not assignable to type '"there is no earlier task in this workflow"'.
workflow("w").task("x", { after: ["zzz"], run: () => 1 });

// ---- ids and missing options
// @ts-expect-error Argument of type '"output"' is not assignable to parameter of type '"'output' is reserved: it names a task argument"'.
base.task("output", { run: () => 1 });
// @ts-expect-error Argument of type '"error"' is not assignable to parameter of type '"'error' is reserved: it names a task argument"'.
base.task("error", { run: () => 1 });
// @ts-expect-error Argument of type '"tx"' is not assignable to parameter of type '"'tx' is reserved: it names a task argument"'.
base.task("tx", { run: () => 1 });
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"task 'x' has no `run`"'.
base.task("x", {});
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"task 'x' has no `run`"'.
base.task("x", { after: ["extract"] });

// ---- events and sleeps
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"event 'x' has no `schema` - state one, or unchecked<T>()"'.
base.event("x", { timeout: "3d" });
// @ts-expect-error Type 'Schema<{ at: Date; }, { at: Date; }>' is not assignable to type '"payload.at is a Date - use date.toISOString()"'.
base.event("x", { schema: unchecked<{ at: Date }>() });
// @ts-expect-error Type '"3 days"' is not assignable to type 'Duration'.
base.event("x", { schema: unchecked<{ ok: boolean }>(), timeout: "3 days" });
// @ts-expect-error 'x' is possibly 'undefined'.
base.event("x", { schema: unchecked<{ ok: boolean }>(), timeout: "3d" }).task("y", { after: ["x"], run: ({ x }) => x.ok });
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"sleep 'x' has no `for` and no `until` - state one"'.
base.sleep("x", {});
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"sleep 'x' has both `for` and `until` - leave one out"'.
base.sleep("x", { for: "1d", until: new Date() });
// @ts-expect-error Type '"1 day"' is not assignable to type 'Duration | ((args: TaskArgs<{ url: string; }, {}>) => Duration)'.
base.sleep("x", { for: "1 day" });
// @ts-expect-error Type '"1d"' is not assignable to type '"unknown option 'delay' - did you mean 'for'?"'.
base.sleep("x", { delay: "1d" });
// @ts-expect-error … Type 'string' is not assignable to type 'Duration'.
base.sleep("x", { for: ({ input }) => input.url });

// @ts-expect-error Type '"allSucceded"' is not assignable to type 'Trigger'. Did you mean '"allSucceeded"'?
base.task("x", { on: "allSucceded", run: () => 1 });

// ---- outputs that cannot be stored
// @ts-expect-error Type 'Promise<Response>' is not assignable to type '"output is a Response or Request - read its body, validate and return that"'.
base.task("x", { run: () => fetch("x") });
// @ts-expect-error Type 'Promise<{ response: Response; }>' is not assignable to type '"output.response is a Response or Request - read its body, validate and return that"'.
base.task("x", { run: async () => ({ response: await fetch("x") }) });
class Money { #cents = 1; get euros() { return this.#cents / 100; } }
class Account { private id = 1; name = "x"; withdraw() { return this.id; } deposit() {} }
// @ts-expect-error Type 'Money' is not assignable to type '"output is an instance of a class with private fields - return its data"'.
base.task("x", { run: () => new Money() });
// @ts-expect-error Type '{ account: Account; }' is not assignable to type '"output.account is an instance of a class with private fields - return its data"'.
base.task("x", { run: () => ({ account: new Account() }) });
// @ts-expect-error Type 'Money[]' is not assignable to type '"output[] is an instance of a class with private fields - return its data"'.
base.task("x", { run: () => [new Money()] });

// ---- bodies away from a workflow (the first must compile)
function loader<T extends string | number>(load: () => Promise<T>) { return task({ run: load }); }
// @ts-expect-error Type 'number' is not assignable to type '"unknown option 'retries' - did you mean 'retry'?"'.
task({ retries: 3, run: () => 1 });

// ---- options of a workflow
// @ts-expect-error Type '"x"' is not assignable to type '"unknown option 'desc' - did you mean 'description'?"'.
workflow("w", { desc: "x" });

// ---- one mistake, one message
// @ts-expect-error Type '"5 minutes"' is not assignable to type 'Duration'.
base.task("x", { after: ["extract"], timeout: "5 minutes", run: ({ extract }) => extract.length });
// @ts-expect-error Type 'unknown' is not assignable to type '"output is `unknown` - annotate or validate it"'.
base.task("x", { run: (): unknown => 1 });
// @ts-expect-error Type 'Promise<unknown>' is not assignable to type '"output is `unknown` - annotate or validate it"'.
base.task("x", { run: async ({ input }) => JSON.parse(input.url) as unknown });
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"the output of 'x' is `any` - annotate or validate it"'.
base.task("x", { run: () => JSON.parse("1") });
// @ts-expect-error Type 'Error' is not assignable to type '"output is an Error - throw it, or return its message"'.
base.task("x", { run: () => new Error("x") });
const any = task({ run: async () => (await fetch("x")).json() });
// @ts-expect-error … Type 'Promise<any>' is not assignable to type '"output is `any` - annotate or validate it"'.
base.task("x", { ...any });
const ok = loader(() => Promise.resolve(1));
// @ts-expect-error Property 'length' does not exist on type 'number'.
base.task("x", { ...ok }).task("y", { after: ["x"], run: ({ x }) => x.length });
// @ts-expect-error Type '{ at: Date; }' is not assignable to type '"output.at is a Date - use date.toISOString()"'.
task({ run: () => ({ at: new Date() }) });

// ---- maps
// @ts-expect-error Type 'number' is not assignable to type '"`over` must return an array"'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract.length, run: ({ item }) => item });
// @ts-expect-error Property 'name' does not exist on type 'Row'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, run: ({ item }) => item.name });
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"the output of 'x' is `any` - annotate or validate it"'.
base.map("x", { after: ["extract"], run: ({ item }) => item.id, over: ({ extract }) => extract });
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"map 'x' has no `run` and no `workflow` - state one"'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract });
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"map 'x' has no `over` - state a function that returns an array"'.
base.map("x", { after: ["extract"], run: () => 1 });
// @ts-expect-error … Type 'Date' is not assignable to type '"output is a Date - use date.toISOString()"'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, run: () => new Date() });
// @ts-expect-error Type 'Date[]' is not assignable to type '"over[] is a Date - use date.toISOString()"'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract.map(() => new Date()), run: () => 1 });
// @ts-expect-error Type '"ignore"' is not assignable to type 'OnItemFailure'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, onItemFailure: "ignore", run: () => 1 });
// @ts-expect-error Type 'number' is not assignable to type '"unknown option 'parallelism' - did you mean 'concurrency'?"'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, parallelism: 3, run: () => 1 });
// @ts-expect-error Type 'Promise<any>' is not assignable to type '"over is `any` - annotate or validate it"'.
base.map("x", { over: async () => (await fetch("")).json(), run: ({ item }) => item.id });
// @ts-expect-error Type '"ignore"' is not assignable to type 'OnItemFailure'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, onItemFailure: "ignore", run: ({ item }) => item.id });
// @ts-expect-error Type '"5 minutes"' is not assignable to type 'Duration'.
base.map("x", { after: ["extract"], timeout: "5 minutes", over: ({ extract }) => extract, run: ({ item }) => item.id });
// @ts-expect-error Type '"extrct"' is not assignable to type '"extract" | "transform" | "maybe"'. Did you mean '"extract"'?
base.map("x", { after: ["extrct"], over: ({ extrct }) => extrct, run: ({ item }) => item.id });
// @ts-expect-error Property 'task' does not exist on type '"write `over` before the functions that receive `item`"'.
base.map("x", { after: ["extract"], run: ({ item }) => `${item}`, over: ({ extract }) => extract }).task("y", { run: () => 1 });

// ---- child runs
const shipping = workflow("shipping", { input: unchecked<{ parcels: string[] }>() }).task("a", { run: () => 1 }).returns("a");
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"task 'x' has no `input`, and its workflow takes one"'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, workflow: shipping });
// @ts-expect-error … Type 'number' is not assignable to type 'string'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, workflow: shipping, input: ({ item }) => ({ parcels: [item.id] }) });
// @ts-expect-error … Property 'parcels' is missing in type '{ parcel: string[]; }' but required in type '{ parcels: string[]; }'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, workflow: shipping, input: ({ item }) => ({ parcel: [`${item.id}`] }) });
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"map 'x' has both `run` and `workflow` - leave one out"'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, workflow: shipping, run: () => 1, input: () => ({ parcels: [] }) });
// @ts-expect-error Type 'number' is not assignable to type 'RetryPolicy & "unknown option 'retry'"'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, workflow: shipping, retry: 3, input: () => ({ parcels: [] }) });
// @ts-expect-error Argument of type '"x"' is not assignable to parameter of type '"task 'x' has no `input`, and its workflow takes one"'.
base.subworkflow("x", { workflow: shipping });
// @ts-expect-error … Type 'number' is not assignable to type 'string'.
base.subworkflow("x", { workflow: shipping, input: () => ({ parcels: [1] }) });
// @ts-expect-error Type 'string' is not assignable to type 'Startable | (() => Startable)'.
base.subworkflow("x", { workflow: "shipping", input: () => ({ parcels: [] }) });
// @ts-expect-error Type 'number' is not assignable to type '"unknown option 'retry'"'.
base.subworkflow("x", { after: ["extract"], workflow: shipping, retry: 3, input: ({ extract }) => ({ parcels: [`${extract.length}`] }) });
// @ts-expect-error Type 'number' is not assignable to type '"unknown option 'retries'"'.
base.map("x", { over: () => [1], workflow: shipping, retries: 3, input: ({ item }) => ({ parcels: [`${item}`] }) });
// @ts-expect-error Type 'Workflow<"wrongResult", number, Step<"less", string, never, never, never, "less"> | Step<"n", number, never, never, never, "n">, "n", number>' is not assignable to type 'Child<number, string>'.
const wrongResult = workflow("wrongResult", { input: unchecked<number>() }).subworkflow("less", { workflow: (): Child<number, string> => wrongResult, input: ({ input }) => input }).task("n", { run: () => 1 }).returns("n");
// @ts-expect-error Type 'Workflow<"wrongTaken", number, Step<"n", number, never, never, never, "n"> | Step<"less", number, never, never, never, "less">, "n", number>' is not assignable to type 'Child<string, number>'.
const wrongTaken = workflow("wrongTaken", { input: unchecked<number>() }).subworkflow("less", { workflow: (): Child<string, number> => wrongTaken, input: () => "x" }).task("n", { run: () => 1 }).returns("n");

// ---- undo
// @ts-expect-error Property 'm' does not exist on type '{ n: number; }'.
base.task("x", { run: () => ({ n: 1 }), undo: ({ output }) => output.m });
// @ts-expect-error Property 'transform' does not exist on type '{ readonly extract: Row[]; } & { readonly input: { url: string; }; readonly ctx: TaskContext; readonly status: { readonly extract: TaskStatus; }; } & OutputArg<number>'.
base.task("x", { after: ["extract"], run: ({ extract }) => extract.length, undo: ({ output, transform }) => [output, transform] });
// @ts-expect-error Type 'number' is not assignable to type '(args: {} & { readonly input: { url: string; }; readonly ctx: TaskContext; readonly status: {}; } & OutputArg<number>) => unknown'.
base.task("x", { run: () => 1, undo: 3 });
// @ts-expect-error Type '() => void' is not assignable to type '"unknown option 'compensate' - did you mean 'undo'?"'.
base.task("x", { run: () => 1, compensate: () => {} });
// @ts-expect-error Type '() => void' is not assignable to type '"unknown option 'undoo' - did you mean 'undo'?"'.
base.task("x", { run: () => 1, undoo: () => {} });
// @ts-expect-error Property 'task' does not exist on type '"write `run` before `onSuccess` and `undo`: they need the type of the output"'.
base.task("x", { after: ["extract"], undo: ({ output }) => output.toFixed(), run: ({ extract }) => extract.length }).task("y", { run: () => 1 });
// @ts-expect-error Property 'length' does not exist on type 'number'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, run: ({ item }) => item.id, undo: ({ output }) => output.length });
// @ts-expect-error Property 'name' does not exist on type 'Row'.
base.map("x", { after: ["extract"], over: ({ extract }) => extract, run: ({ item }) => item.id, undo: ({ item }) => item.name });
// @ts-expect-error … Type '() => void' is not assignable to type '"`undo` is only for tasks and maps with `run` - a child run undoes its own tasks"'.
base.map("x", { over: () => ["a"], workflow: shipping, input: ({ item }) => ({ parcels: [item] }), undo: () => {} });
// @ts-expect-error Type '() => void' is not assignable to type '"`undo` is only for tasks and maps with `run` - a child run undoes its own tasks"'.
base.subworkflow("x", { workflow: shipping, input: () => ({ parcels: [] }), undo: () => {} });
// @ts-expect-error Type '() => void' is not assignable to type '"`undo` is only for tasks and maps with `run` - a child run undoes its own tasks"'.
base.sleep("x", { for: "1s", undo: () => {} });
// @ts-expect-error Type '() => void' is not assignable to type '"`undo` is only for tasks and maps with `run` - a child run undoes its own tasks"'.
base.event("x", { schema: unchecked<number>(), undo: () => {} });
// @ts-expect-error Property 'length' does not exist on type 'number'.
task({ run: ({ extract }: { extract: Row[] }) => extract.length, undo: ({ output }) => output.length });

// ---- limits
// @ts-expect-error Property 'ctx' does not exist on type 'LimitArgs<TaskArgs<{ url: string; }, {}>>'.
base.task("x", { limits: [{ key: ({ ctx }) => ctx.runId, max: 1 }], run: () => 1 });
// @ts-expect-error Property 'extract' does not exist on type 'LimitArgs<TaskArgs<{ url: string; }, {}>>'.
base.task("x", { limits: [{ key: ({ extract }) => `${extract.length}`, max: 1 }], run: () => 1 });
// @ts-expect-error Property 'uri' does not exist on type '{ url: string; }'.
base.task("x", { limits: [{ key: ({ input }) => input.uri, max: 1 }], run: () => 1 });
// @ts-expect-error … Type 'number' is not assignable to type 'string | readonly string[]'.
base.task("x", { after: ["extract"], limits: [{ key: ({ extract }) => extract.length, max: 1 }], run: () => 1 });
// @ts-expect-error … Type 'Promise<string>' is not assignable to type 'string | readonly string[]'.
base.task("x", { limits: [{ key: async ({ input }) => input.url, max: 1 }], run: () => 1 });
// @ts-expect-error … Type 'string' is not assignable to type 'number'.
base.task("x", { limits: [{ weight: ({ input }) => input.url, max: 1 }], run: () => 1 });
// @ts-expect-error Property 'max' is missing in type '{ key: string; }' but required in type 'Limit<LimitArgs<TaskArgs<{ url: string; }, {}>>>'.
base.task("x", { limits: [{ key: "a" }], run: () => 1 });
// @ts-expect-error Object literal may only specify known properties, but 'wieght' does not exist in type 'Limit<LimitArgs<TaskArgs<{ url: string; }, {}>>>'. Did you mean to write 'weight'?
base.task("x", { limits: [{ max: 1, wieght: 2 }], run: () => 1 });
// @ts-expect-error Type '"1 second"' is not assignable to type 'Duration'.
base.task("x", { limits: [{ max: 1, per: "1 second" }], run: () => 1 });
// @ts-expect-error Object literal may only specify known properties, and 'max' does not exist in type 'readonly Limit<LimitArgs<TaskArgs<{ url: string; }, {}>>>[]'.
base.task("x", { limits: { max: 1 }, run: () => 1 });
// @ts-expect-error Type '{ max: number; }[]' is not assignable to type '"unknown option 'limit' - did you mean 'limits'?"'.
base.task("x", { limit: [{ max: 1 }], run: () => 1 });
// @ts-expect-error Type '{ max: number; }[]' is not assignable to type '"unknown option 'rateLimit' - did you mean 'limits'?"'.
base.task("x", { rateLimit: [{ max: 1 }], run: () => 1 });
// @ts-expect-error Property 'id' does not exist on type 'string'.
base.map("x", { over: () => ["a"], limits: [{ key: ({ item }) => item.id, max: 1 }], run: ({ item }) => item });
// @ts-expect-error Type '{ max: number; }[]' is not assignable to type '"`limits` is only for workflows, tasks, maps and subworkflows"'.
base.event("x", { schema: unchecked<string>(), limits: [{ max: 1 }] });
// @ts-expect-error Type '{ max: number; }[]' is not assignable to type '"`limits` is only for workflows, tasks, maps and subworkflows"'.
base.sleep("x", { for: "1d", limits: [{ max: 1 }] });
// @ts-expect-error Property 'b' does not exist on type 'LimitArgs<NoInfer<{ a: string; }>>'.
task({ limits: [{ key: ({ b }) => b, max: 1 }], run: ({ a }: { a: string }) => a });
// @ts-expect-error Property 'name' does not exist on type '{ url: string; }'.
workflow("w", { input: unchecked<{ url: string }>(), limits: [{ key: ({ input }) => input.name, max: 1 }] });
// @ts-expect-error Type '"reject"' is not assignable to type '"`whenFull` is only for a workflow with `limits`"'.
workflow("w", { whenFull: "reject" });
// @ts-expect-error Type '"rejct"' is not assignable to type 'WhenFull | undefined'. Did you mean '"reject"'?
workflow("w", { limits: [{ max: 1 }], whenFull: "rejct" });
// @ts-expect-error Property 'task' does not exist on type '"write `over` before the functions that receive `item`"'.
base.map("x", { after: ["extract"], limits: [{ key: ({ item }) => `${item.id}`, max: 1 }], over: ({ extract }) => extract, run: () => 1 }).task("y", { run: () => 1 });
const needsTenant: Limit<{ readonly input: { readonly tenant: string } }> = { key: ({ input }) => input.tenant, max: 1 };
// @ts-expect-error Type 'Limit<{ readonly input: { readonly tenant: string; }; }>' is not assignable to type 'Limit<LimitArgs<TaskArgs<{ url: string; }, {}>>>' with 'exactOptionalPropertyTypes: true'. Consider adding 'undefined' to the types of the target's properties.
base.task("x", { limits: [needsTenant], run: () => 1 });
// @ts-expect-error Type 'Limit<{ readonly input: { readonly tenant: string; }; }>' is not assignable to type 'Limit<{ readonly input: NoInfer<{ url: string; }>; }>' with 'exactOptionalPropertyTypes: true'. Consider adding 'undefined' to the types of the target's properties.
workflow("w", { input: unchecked<{ url: string }>(), limits: [needsTenant] });
// @ts-expect-error Type '"rejct"' is not assignable to type 'WhenFull'. Did you mean '"reject"'?
dynamicWorkflow({ name: "w", whenFull: "rejct", tasks: [] });
// @ts-expect-error Object literal may only specify known properties, and 'limits' does not exist in type 'DynamicSleep'.
dynamicWorkflow({ name: "w", tasks: [{ id: "a", kind: "sleep", for: "1d", limits: [{ max: 1 }] }] });
// @ts-expect-error Type 'number' is not assignable to type 'string'.
base.task("x", { limits: [{ key: ["a", 1], max: 1 }], run: () => 1 });
