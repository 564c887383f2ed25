/** Waiting for the end of a run, with a limit. */
import { assertEquals, assertRejects } from "@std/assert";
import { RunNotFoundError, unchecked, WaitTimeoutError, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const review = workflow("review").event("approval", { schema: unchecked<string>() }).returns("approval");

test("result() and outcome() reject after their timeout, and the run continues", async () => {
  await using opened = await open([review]);
  const run = await opened.runner.start(review);
  const result = assertRejects(() => run.result({ timeout: "5s" }), WaitTimeoutError);
  const outcome = assertRejects(() => run.outcome({ timeout: 7_000 }), WaitTimeoutError);
  await opened.clock.advance("5s");
  const { code, runId, timeoutMs, message } = await result;
  assertEquals([code, runId, timeoutMs], ["wait_timeout", run.id, 5_000]);
  assertEquals(message, `Run "${run.id}" did not end within 5000 ms; the run continues`);
  await opened.clock.advance("2s");
  assertEquals((await outcome).timeoutMs, 7_000);
  assertEquals((await run.status()).state, "waiting");
  await run.send("approval", "ann");
  await opened.clock.settle();
  assertEquals(await run.result({ timeout: "5s" }), "ann");
});

test("result() and outcome() reject with the reason of their signal, and other waits continue", async () => {
  await using opened = await open([review]);
  const run = await opened.runner.start(review);
  const controller = new AbortController();
  const { signal } = controller;
  const waits = Promise.allSettled([run.result({ signal }), run.outcome({ signal, timeout: "1h" }), run.result()]);
  await opened.clock.settle();
  const reason = new Error("the user left");
  controller.abort(reason);
  await assertRejects(() => run.result({ signal }), Error, "the user left");
  await run.send("approval", "ann");
  await opened.clock.settle();
  assertEquals(await waits, [
    { status: "rejected", reason },
    { status: "rejected", reason },
    { status: "fulfilled", value: "ann" },
  ]);
});

test("a run that has ended or does not exist needs no wait", async () => {
  await using opened = await open([review]);
  const run = await opened.runner.start(review);
  await opened.clock.settle();
  await run.send("approval", "ann");
  await opened.clock.until(run.result());
  assertEquals(await run.result({ timeout: 1 }), "ann");
  const outcome = await run.outcome({ timeout: 1 });
  assertEquals(outcome.status === "completed" && outcome.result, "ann");
  const unknown = opened.runner.get("0193e5b0-0000-7000-8000-000000000000");
  await assertRejects(() => unknown.result({ timeout: "1h" }), RunNotFoundError);
});

test("invalid options of a wait are refused, all at once", async () => {
  await using opened = await open([review]);
  const run = await opened.runner.start(review);
  const options = { timeout: 0, signal: "x", timeuot: 1 } as unknown as { timeout: number };
  await assertRejects(
    () => run.result(options),
    TypeError,
    `Cannot wait for run "${run.id}": the options: unknown option "timeuot" (did you mean "timeout"?); timeout must be ` +
      'longer than zero; signal must be an AbortSignal, not "x"',
  );
});
