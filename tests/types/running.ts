// Starting, waiting and reading, as the compiler sees them. Nothing here runs: that it compiles, and that each line
// that must not does not, is the test.
import { z } from "zod";
import { dynamicWorkflow } from "../../lib/definition/dynamic.ts";
import { unchecked } from "../../lib/definition/schema.ts";
import { type AnyWorkflow, type InputOf, type ResultOf, workflow } from "../../lib/definition/workflow.ts";
import { type Client, createClient } from "../../lib/engine/client/client.ts";
import type { HandleOf, RunHandle } from "../../lib/engine/client/handle.ts";
import type { OutcomeOf } from "../../lib/engine/client/outcome.ts";
import { createRunner } from "../../lib/engine/runner.ts";
import type { Runner } from "../../lib/engine/runner_interface.ts";
import type { StartOptions } from "../../lib/engine/client/start_options.ts";
import type { Failure } from "../../lib/errors.ts";
import { etl, flaky } from "./examples.ts";
import { type IsEqual, isTrue } from "./is_equal.ts";

type Etl = typeof etl;
type Flaky = typeof flaky;
type Extracted = { id: number; price: number }[];
type Loaded = { read: number; written: number };
type Called = { readonly call: { ok: boolean; attempt: number }; readonly once: null };

const child = workflow("child", { input: z.object({ sku: z.string() }) }).task("quote", { run: () => 1 });
const runner = await createRunner("sqlite::memory:", { workflows: [etl, flaky] });
isTrue<IsEqual<typeof runner, Runner<Etl | Flaky>>>();

// ---- targets: by value or by name, and both know the input and the result
const byValue = await runner.start(etl, { url: "https://x" });
const byName = await runner.start("etl", { url: "https://x", limit: 10 });
isTrue<IsEqual<typeof byValue, HandleOf<Etl>>>();
isTrue<IsEqual<typeof byName, HandleOf<Etl>>>();
isTrue<IsEqual<Awaited<ReturnType<typeof byName.result>>, Loaded>>();
// A handle and an outcome show their types, not the workflow.
isTrue<
  IsEqual<
    typeof byName,
    RunHandle<
      Loaded,
      {
        readonly extract: Extracted;
        readonly transform: { cents: number; id: number; price: number }[];
        readonly load: Loaded;
      },
      { url: string; limit?: number | undefined },
      Readonly<Record<never, never>>
    >
  >
>();
isTrue<IsEqual<Awaited<ReturnType<typeof byName.outcome>>, OutcomeOf<Etl>>>();
// @ts-expect-error misspelt
runner.start("elt", { url: "" });
// @ts-expect-error a name that is known only at run time
runner.start("etl" as string, { url: "" });
// @ts-expect-error workflow 'child' is not registered with this runner
runner.start(child, { sku: "" });
// @ts-expect-error the same name is not the same workflow
runner.start(workflow("etl").task("extract", { run: () => 1 }));
// @ts-expect-error nothing is known of it
runner.start(etl as AnyWorkflow, { url: "" });

// ---- inputs
runner.execute(flaky);
runner.execute("flaky");
runner.execute("flaky", undefined, { key: "2026-11-23" });
// @ts-expect-error missing
runner.execute(etl);
// @ts-expect-error missing
runner.execute("etl");
// @ts-expect-error wrong type
runner.execute(etl, { url: 1 });
// @ts-expect-error misspelt member
runner.execute("etl", { uri: "" });
// @ts-expect-error one more member
runner.execute("etl", { url: "", retries: 3 });
// @ts-expect-error it takes none
runner.execute("flaky", { url: "" });
// A schema with defaults throughout still wants an object, but one of its own may allow nothing at all.
const eager = workflow("eager", { input: z.object({ n: z.number() }).optional() }).task("a", { run: () => 1 });
const eagerRunner = await createRunner("sqlite::memory:", { workflows: [eager] });
eagerRunner.execute("eager");
eagerRunner.execute(eager, { n: 1 });

// ---- options of a start
runner.start("etl", { url: "" }, { key: "k", delay: "5m", priority: -1, tags: ["t"], timeout: 5_000 });
runner.execute("etl", { url: "" }, { key: "k", keyScope: "active", ifExists: "compare" });
runner.start("etl", { url: "" }, { debounce: { key: "k", delay: "5s", maxDelay: 60_000 }, tags: ["t"] });
// @ts-expect-error misspelt
runner.start("etl", { url: "" }, { keyy: "k" });
// @ts-expect-error no duration
runner.start("etl", { url: "" }, { delay: "5 minutes" });
// @ts-expect-error options are no input
runner.start("flaky", { key: "k" });

// ---- many at once
const handles = await runner.startMany("etl", [{ url: "a" }, { url: "b", limit: 1 }], { key: (_, i) => `k${i}` });
runner.startMany("etl", [{ url: "a" }], { key: ({ url, limit = 0 }) => url.toUpperCase() + limit.toFixed() });
isTrue<IsEqual<typeof handles, HandleOf<Etl>[]>>();
runner.startMany(flaky, [undefined, undefined]);
// @ts-expect-error wrong type
runner.startMany("etl", [{ url: "a" }, { url: 1 }]);
// @ts-expect-error one key for all of them would be one run
runner.startMany("etl", [{ url: "a" }], { key: "k" });
// @ts-expect-error not registered
runner.startMany(child, [{ sku: "" }]);

// ---- options that exclude each other
declare const tx: NonNullable<StartOptions["tx"]>;
runner.start("etl", { url: "" }, { tx });
// @ts-expect-error `execute` waits for the run, which begins after the transaction
runner.execute("etl", { url: "" }, { tx });
// @ts-expect-error `delay` and `startAt`
runner.start("etl", { url: "" }, { delay: "1s", startAt: 0 });
// @ts-expect-error `signal` and `tx`
runner.start("etl", { url: "" }, { signal: AbortSignal.timeout(1), tx });
// @ts-expect-error `debounce` and `key`
runner.start("etl", { url: "" }, { debounce: { key: "k", delay: "1s" }, key: "k" });
// @ts-expect-error `keyScope` without `key`
runner.start("etl", { url: "" }, { keyScope: "active" });
// @ts-expect-error `delay` and `startAt`
runner.startMany("etl", [{ url: "a" }], { delay: "1s", startAt: 0 });
// @ts-expect-error `keyScope` without `key`
runner.startMany("etl", [{ url: "a" }], { keyScope: "active" });
runner.startMany("etl", [{ url: "a" }], { keyScope: "active", key: ({ url }) => url, delay: "1s" });
runner.cancelMany({ workflow: "etl", state: ["pending", "running"] });
runner.deleteMany({ all: true });
// @ts-expect-error `all` and another filter
runner.cancelMany({ all: true, workflow: "etl" });

// ---- outcomes
const outcome = await runner.execute("etl", { url: "" });
isTrue<IsEqual<typeof outcome, OutcomeOf<Etl>>>();
isTrue<IsEqual<typeof outcome.status, "completed" | "failed" | "cancelled">>();
isTrue<IsEqual<typeof outcome.runId, string>>();
isTrue<IsEqual<typeof outcome.outputs.extract, Extracted | undefined>>();
// @ts-expect-error a run that did not complete has no result
outcome.result;
// @ts-expect-error and not every output
outcome.outputs.extract.length;
switch (outcome.status) {
  case "completed":
    isTrue<IsEqual<typeof outcome.result, Loaded>>();
    // @ts-expect-error a run that completed has no error
    outcome.error;
    // @ts-expect-error misspelt
    outcome.result.writen;
    // @ts-expect-error wrong type
    outcome.result.written.length;
    break;
  case "failed":
    isTrue<IsEqual<typeof outcome.error, Error>>();
    isTrue<IsEqual<typeof outcome.failures, readonly Failure[]>>();
    break;
  case "cancelled":
    isTrue<IsEqual<typeof outcome.reason, string | undefined>>();
    break;
  // @ts-expect-error there is no other
  case "skipped":
    break;
}
// Without `.returns()` the result is every output by id.
const called = await runner.execute(flaky);
if (called.status === "completed") isTrue<IsEqual<typeof called.result, Called>>();
// @ts-expect-error no such task
if (called.status === "completed") called.result.cal;

// ---- waits and messages
runner.get("x").result({ timeout: "5s", signal: new AbortController().signal });
runner.get("x").outcome({ timeout: 5_000 });
// @ts-expect-error misspelt
runner.get("x").result({ timeuot: "5s" });
const approvals = workflow("approvals")
  .event("approval", { schema: unchecked<{ ok: boolean }>() })
  .event("remark", { schema: unchecked<string | undefined>(), timeout: "1d" })
  .sleep("pause", { for: "1d" });
const waiting = await (await createRunner("sqlite::memory:", { workflows: [approvals] })).start(approvals);
isTrue<
  IsEqual<
    typeof waiting,
    RunHandle<
      { readonly approval: { ok: boolean }; readonly remark: string | undefined },
      { readonly approval: { ok: boolean }; readonly remark: string | undefined },
      undefined,
      { readonly approval: { ok: boolean }; readonly remark: string | undefined }
    >
  >
>();
waiting.send("approval", { ok: true });
waiting.send("remark");
// @ts-expect-error misspelt
waiting.send("aproval", { ok: true });
// @ts-expect-error wrong type
waiting.send("approval", { ok: 1 });
// @ts-expect-error missing
waiting.send("approval");
// @ts-expect-error this workflow has no event tasks
byName.send("load", 1);
// @ts-expect-error a sleep has no output
waiting.fork({ outputs: { pause: undefined } });

// ---- forks
const forked = await byName.fork({ from: "load", input: { url: "y" }, outputs: { extract: [{ id: 1, price: 2 }] } });
isTrue<IsEqual<typeof forked, HandleOf<Etl>>>();
byName.fork();
// @ts-expect-error no such task
byName.fork({ from: "laod" });
// @ts-expect-error a task of another workflow
byName.fork({ from: "call" });
// @ts-expect-error wrong output
byName.fork({ outputs: { load: { read: "1", written: 1 } } });
// @ts-expect-error no such task
byName.fork({ outputs: { laod: { read: 1, written: 1 } } });
// @ts-expect-error wrong input
byName.fork({ input: { url: 1 } });

// ---- a run that is looked up may be one of any of the workflows
const found = runner.get("0193e5b0-0000-7000-8000-000000000000");
isTrue<IsEqual<typeof found, HandleOf<Etl | Flaky>>>();
isTrue<IsEqual<Awaited<ReturnType<typeof found.result>>, Loaded | ResultOf<Flaky>>>();
const end = await found.outcome();
if (end.status === "completed" && "call" in end.result) isTrue<IsEqual<typeof end.result.call.attempt, number>>();
found.fork({ from: "call" });
found.fork({ from: "load" });
// @ts-expect-error a task of neither
found.fork({ from: "quote" });

// ---- clients
const client = await createClient("sqlite://./app.db", { workflows: [etl, flaky] });
isTrue<IsEqual<typeof client, Client<Etl | Flaky>>>();
isTrue<IsEqual<Awaited<ReturnType<typeof client.start<"etl">>>, HandleOf<Etl>>>();
const stranger = await createClient("sqlite://./app.db");
const run = stranger.get("0193e5b0-0000-7000-8000-000000000000");
isTrue<IsEqual<Awaited<ReturnType<typeof run.result>>, unknown>>();
run.fork({ from: "load", outputs: { extract: [] } });
// @ts-expect-error a client without workflows starts nothing
stranger.start("etl", { url: "" });
// @ts-expect-error not by value either
stranger.start(etl, { url: "" });
// @ts-expect-error a runner cannot do without workflows
createRunner("sqlite::memory:", {});
// @ts-expect-error a client executes nothing
createClient("sqlite://./app.db", { workflows: [etl], concurrency: 4 });

// ---- workflows from data
const generated = dynamicWorkflow({ name: "generated", tasks: [{ id: "a", run: () => 1 }] });
const mixed = await createRunner("sqlite::memory:", { workflows: [etl, generated] });
const loose = await mixed.execute("generated", { whatever: true });
if (loose.status === "completed") isTrue<IsEqual<typeof loose.result, unknown>>();
isTrue<IsEqual<Awaited<ReturnType<typeof mixed.start<"etl">>>, HandleOf<Etl>>>();
// @ts-expect-error a workflow beside it is as strict as ever
mixed.execute("etl", { uri: "" });
// A workflow whose name comes from data matches every unknown name.
const named = await createRunner("sqlite::memory:", {
  workflows: [etl, dynamicWorkflow({ name: "tuesday" as string, tasks: [{ id: "a", run: () => 1 }] })],
});
named.execute("tuesday", { whatever: true });
// @ts-expect-error but not for one that is
named.execute("etl", { uri: "" });

// ---- code that is generic over a workflow
async function startTwice<W extends AnyWorkflow>(runner: Runner<W>, target: W, input: InputOf<W>) {
  const first = await runner.start(target, input);
  await runner.start(target, input, { priority: 1 });
  return first;
}
const twice = await startTwice(await createRunner("sqlite::memory:", { workflows: [etl] }), etl, { url: "" });
isTrue<IsEqual<Awaited<ReturnType<typeof twice.result>>, Loaded>>();

// ---- code that works with any runner
const anyRunner: Runner<AnyWorkflow> = runner;
anyRunner.start(etl, { url: "" });
anyRunner.start("whatever", 1);
const asClient: Client<Etl | Flaky> = runner;
asClient.execute("flaky");

// ---- bodies in other files, wired elsewhere
export const unit = await (await createRunner("sqlite::memory:", {
  workflows: [
    workflow("wired", { input: unchecked<{ url: string; day: string }>() })
      .task("extract", { run: ({ input }) => input.url.length })
      .returns("extract"),
  ],
})).execute("wired", { url: "abc", day: "x" });
if (unit.status === "completed") isTrue<IsEqual<typeof unit.result, number>>();

// ---- starts in bodies: by value with the type of the input, by name with any
const starter = workflow("starter").task("start", {
  run: async (
    { ctx },
  ) => [await ctx.start(etl, { url: "https://x" }), await ctx.start("etl", 5), await ctx.start(flaky)],
});
isTrue<IsEqual<ResultOf<typeof starter>["start"], { readonly runId: string; readonly isNew: boolean }[]>>();

// ---- items of maps
const maps = workflow("maps")
  .task("count", { run: () => 1 })
  .map("sizes", { over: () => ["a"], run: ({ item }) => item.length })
  .map("checked", { over: () => ["a"], onItemFailure: "collect", run: ({ item }) => ({ size: item.length }) });
const mapsRunner = await createRunner("sqlite::memory:", { workflows: [maps] });
const mapsRun = await mapsRunner.start(maps);
const sizes = await mapsRun.items("sizes");
isTrue<IsEqual<(typeof sizes.items)[number]["output"], number | undefined>>();
const checked = await mapsRunner.get(mapsRun.id).items("checked");
isTrue<IsEqual<(typeof checked.items)[number]["output"], { size: number } | undefined>>();
const anyItems = await (await createClient("sqlite://./x.db")).get("id").items("anything");
isTrue<IsEqual<(typeof anyItems.items)[number]["output"], unknown>>();
