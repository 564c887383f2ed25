import { context, createTraceState, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { assert, assertEquals } from "@std/assert";
import { createTracing } from "../../lib/otel/mod.ts";
import { createClient, createRunner, DeferError, workflow } from "../../mod.ts";
import { spawn } from "../child.ts";
import { backend, emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { open, untilAborted } from "../meanings/open.ts";
import { transactionOn } from "../transactions/place.ts";
import { flow } from "./flow.ts";
import { active, keepSpans, linksOf, parentOf, placeOf } from "./spans.ts";

test("a run is a span of its own, linked to its caller's, and each attempt is a child of it", async () => {
  const spans = keepSpans();
  const flaky = workflow("flaky", { version: "7" }).task("call", {
    retry: { attempts: 2, delay: 0 },
    run({ ctx }) {
      if (ctx.attempt === 1) throw new TypeError("not yet");
    },
  });
  await using opened = await open([flaky], { tracing: createTracing() });
  const { id } = await spans.within("caller", () => opened.runner.start(flaky));
  await opened.clock.until(opened.runner.get(id).result());
  const run = spans.named("run flaky");
  assertEquals([parentOf(run), linksOf(run)], [undefined, [placeOf(spans.named("caller"))]]);
  assertEquals([run.kind, run.status.code], [SpanKind.CONSUMER, SpanStatusCode.UNSET]);
  const identity = { "sluice.workflow": "flaky", "sluice.run.id": id };
  const version = { "sluice.workflow.version": flaky.version, "sluice.run.epoch": 1 };
  assertEquals(run.attributes, { ...identity, ...version, "sluice.run.state": "completed" });
  const attempts = spans.ended().filter(({ name }) => name === "task call");
  const task = { ...identity, "sluice.task.id": "call", "sluice.task.kind": "task" };
  const failed = { "sluice.task.outcome": "failed", "error.type": "TypeError" };
  assertEquals(attempts.map(({ attributes }) => attributes), [
    { ...task, "sluice.task.attempt": 1, ...failed },
    { ...task, "sluice.task.attempt": 2, "sluice.task.outcome": "completed" },
  ]);
  assertEquals(attempts.map(parentOf), [run.spanContext().spanId, run.spanContext().spanId]);
  assertEquals(attempts[0]!.status, { code: SpanStatusCode.ERROR, message: "not yet" });
  assertEquals(attempts[0]!.events.map(({ attributes }) => attributes?.["exception.message"]), ["not yet"]);
  assertEquals(attempts[1]!.status.code, SpanStatusCode.UNSET);
});

test("an attempt at an undo is a span of its own, which says so", async () => {
  const spans = keepSpans();
  const order = workflow("order")
    .task("pay", { run: () => 1, undo: () => {} })
    .task("ship", { after: ["pay"], retry: 1, run: () => Promise.reject(new Error("no parcel")) });
  await using opened = await open([order], { tracing: createTracing() });
  const run = await opened.runner.start(order);
  await opened.clock.until(run.outcome());
  const undo = spans.named("undo pay");
  const { "sluice.task.id": id, "sluice.task.undo": isUndo, "sluice.task.outcome": outcome } = undo.attributes;
  assertEquals([id, isUndo, outcome], ["pay", true, "completed"]);
  const states = spans.ended().filter(({ name }) => name === "run order").map(({ attributes }) =>
    attributes["sluice.run.state"]
  );
  assertEquals(states, ["pending", "failed"]);
});

test("spans that bodies and conditions make are children of their own attempt, however many run at once", async () => {
  const spans = keepSpans();
  const own = (name: string) => async () => {
    await opened.clock.settle();
    await spans.within(name, () => opened.clock.settle());
    return true;
  };
  const both = workflow("both").task("a", { when: own("in when"), run: own("in a") }).task("b", { run: own("in b") });
  await using opened = await open([both], { tracing: createTracing() });
  await spans.within("caller", () => opened.runner.execute(both));
  assertEquals(["in when", "in a", "in b"].map((name) => parentOf(spans.named(name))), [
    spans.named("task a").spanContext().spanId,
    spans.named("task a").spanContext().spanId,
    spans.named("task b").spanContext().spanId,
  ]);
});

test("the body of a transaction runs within its attempt", async () => {
  const spans = keepSpans();
  const pay = workflow("pay").task("pay", {
    ...transactionOn(backend),
    run: () => active()?.spanContext().spanId ?? "none",
  }).returns("pay");
  await using opened = await open([pay], { tracing: createTracing(), shared: true });
  const outcome = await opened.runner.execute(pay);
  const attempt = spans.named("task pay");
  assertEquals(outcome.status === "completed" && outcome.result, attempt.spanContext().spanId);
  assertEquals([attempt.attributes["sluice.task.kind"], attempt.attributes["sluice.task.outcome"]], [
    "transaction",
    "completed",
  ]);
});

test("a failed run is an error, and says which", async () => {
  const spans = keepSpans();
  const broken = workflow("broken").task("a", { retry: 1, run: () => Promise.reject("a text") });
  await using opened = await open([broken], { tracing: createTracing() });
  await opened.runner.execute(broken);
  const { status, attributes } = spans.named("run broken");
  assertEquals(status, { code: SpanStatusCode.ERROR, message: "a text" });
  assertEquals([attributes["sluice.run.state"], attributes["error.type"]], ["failed", "Error"]);
  assertEquals(spans.named("task a").status.message, "a text");
});

test("what was put off, skipped or cancelled is no error", async () => {
  const spans = keepSpans();
  const calm = workflow("calm")
    .task("later", {
      run({ ctx }) {
        if (!isReady) throw new DeferError("1s");
        return untilAborted(ctx.signal);
      },
    })
    .task("off", { when: () => false, run: () => 1 });
  let isReady = false;
  await using opened = await open([calm], { tracing: createTracing() });
  const run = await opened.runner.start(calm);
  await opened.clock.settle();
  isReady = true;
  await opened.clock.advance("2s");
  await run.cancel("enough");
  await opened.clock.until(run.outcome());
  const ended = spans.ended();
  assert(ended.every(({ status }) => status.code === SpanStatusCode.UNSET));
  const outcomes = ended.map((
    { name, attributes },
  ) => [name, attributes["sluice.task.outcome"], attributes["error.type"]]);
  assertEquals(outcomes, [
    ["task later", "deferred", undefined],
    ["task off", "skipped", undefined],
    ["task later", "aborted", "RunCancelledError"],
    ["run calm", undefined, undefined],
  ]);
  assertEquals(ended.at(-1)!.attributes["sluice.run.reason"], "enough");
});

test("a run that is taken up again is another span with the same link", async () => {
  const spans = keepSpans();
  let isReady = false;
  const patient = workflow("patient").task("ask", {
    run() {
      if (!isReady) throw new DeferError("1m");
    },
  });
  await using opened = await open([patient], { tracing: createTracing() });
  const run = await spans.within("caller", () => opened.runner.start(patient));
  await opened.clock.settle();
  isReady = true;
  await opened.clock.until(run.result());
  const stays = spans.ended().filter(({ name }) => name === "run patient");
  const state = stays.map(({ attributes }) => [attributes["sluice.run.epoch"], attributes["sluice.run.state"]]);
  assertEquals(state, [[1, "waiting"], [2, "completed"]]);
  const caller = [placeOf(spans.named("caller"))];
  assertEquals(stays.map(linksOf), [caller, caller]);
  assertEquals(new Set(stays.map((span) => span.spanContext().traceId)).size, 2);
});

test("a run that another process executes is linked to the span of the process that started it", async () => {
  const spans = keepSpans();
  await using on = emptyStore();
  const place = JSON.stringify({ url: on.url, options: on.options });
  await using client = await createClient(on.url, { ...on.options, workflows: [flow], tracing: createTracing() });
  const run = await spans.within("caller", () => client.start(flow));
  await using child = spawn("otel/runner.ts", [place, run.id]);
  const { stdout, stderr } = await child.exited;
  assertEquals(stderr, "");
  assertEquals(JSON.parse(stdout), [["task work", []], ["run flow", [placeOf(spans.named("caller"))]]]);
});

test("the state of the caller's trace travels along, and what is no trace is passed over", async () => {
  const spans = keepSpans();
  const place = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
  const traceState = createTraceState("rojo=00f067aa0ba902b7, congo=t61rcWkgMzE");
  const caller = trace.setSpanContext(context.active(), { ...place, traceState });
  const tracing = createTracing();
  await using runner = await createRunner("sqlite::memory:", { workflows: [flow], tracing });
  await context.with(caller, () => runner.execute(flow));
  const [link] = spans.named("run flow").links;
  assertEquals({ ...link?.context, traceState: undefined }, { ...place, isRemote: true, traceState: undefined });
  assertEquals(link?.context.traceState?.get("congo"), "t61rcWkgMzE");
  for (const text of ["", "nonsense", `00-${"0".repeat(32)}-${"0".repeat(16)}-01`]) {
    tracing.startRun({ runId: "r", workflow: `odd ${text}`, version: "1", epoch: 1, trace: text }).end({
      state: "completed",
    });
    assertEquals(spans.named(`run odd ${text}`).links, []);
  }
});

test("a run that is started where no span is active is linked to none, and nothing of it is stored", async () => {
  const spans = keepSpans();
  const tracing = createTracing();
  assertEquals(tracing.currentContext(), undefined);
  await using runner = await createRunner("sqlite::memory:", { workflows: [flow], tracing });
  await runner.execute(flow);
  assertEquals(linksOf(spans.named("run flow")), []);
});
