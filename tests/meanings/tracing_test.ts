/** `tracing` receives runs and attempts, and does not change them. */
import { assertEquals, assertRejects } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import type { Tracing } from "../../lib/engine/telemetry/tracing.ts";
import { createRunner, DeferError, workflow } from "../../mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { never, open, untilAborted } from "./open.ts";

/** A tracing that records its calls, and knows the attempt that a call belongs to. */
function written(): { readonly tracing: Tracing; readonly lines: string[]; readonly part: AsyncLocalStorage<string> } {
  const lines: string[] = [];
  const part = new AsyncLocalStorage<string>();
  const tracing: Tracing = {
    currentContext: () => part.getStore(),
    startRun({ workflow, epoch, trace }) {
      lines.push(`${workflow} comes, epoch ${epoch}, from ${trace}`);
      return {
        startAttempt({ taskId, attempt }) {
          const name = `${taskId} ${attempt}`;
          lines.push(`${name} begins`);
          return {
            run: (call) => part.run(name, call),
            end(end) {
              const why = end.kind === "failed" ? end.thrown : end.kind === "aborted" ? end.reason : undefined;
              lines.push(`${name} ${end.kind}${why instanceof Error ? ` by ${why.name}` : ""}`);
            },
          };
        },
        end: (leave) =>
          void lines.push(`${workflow} ${leave.state}${"error" in leave ? ` by ${leave.error.name}` : ""}`),
      };
    },
  };
  return { tracing, lines, part };
}

test("tracing follows a run, and each attempt from its beginning to its end", async () => {
  const { tracing, lines } = written();
  const mixed = workflow("mixed")
    .task("flaky", {
      retry: { attempts: 2, delay: 0 },
      run({ ctx }) {
        if (ctx.attempt === 1) throw new TypeError("not yet");
      },
    })
    .task("off", { after: ["flaky"], when: () => false, run: () => 1 })
    .task("late", { after: ["flaky"], retry: 1, timeout: "1s", run: never });
  await using opened = await open([mixed], { tracing });
  await opened.clock.until(opened.runner.execute(mixed));
  assertEquals(lines, [
    "mixed comes, epoch 1, from undefined",
    "flaky 1 begins",
    "flaky 1 failed by TypeError",
    "flaky 2 begins",
    "flaky 2 completed",
    "off 1 begins",
    "late 1 begins",
    "off 1 skipped",
    "late 1 failed by TaskTimeoutError",
    "mixed failed by TaskTimeoutError",
  ]);
});

test("what a condition and a body do, and wait for, is part of their attempt, however many run at once", async () => {
  const { tracing, part } = written();
  const seen: (string | undefined)[] = [];
  const look = async (): Promise<boolean> => {
    seen.push(part.getStore());
    await opened.clock.settle();
    seen.push(part.getStore());
    return true;
  };
  const both = workflow("both").task("a", { when: look, run: look }).task("b", { run: look });
  await using opened = await open([both], { tracing });
  await part.run("the caller", () => opened.runner.execute(both));
  assertEquals(seen.sort(), ["a 1", "a 1", "a 1", "a 1", "b 1", "b 1"]);
});

test("the trace context of a start reaches the runner that executes the run", async () => {
  const { tracing, lines, part } = written();
  const quick = workflow("quick").task("go", { run: () => 1 });
  await using opened = await open([], { shared: true });
  const client = await opened.client([quick], { tracing });
  const one = await part.run("caller 1", () => client.start(quick));
  const [two] = await part.run("caller 2", () => client.startMany(quick, [undefined]));
  const three = await client.start(quick, undefined, { priority: 1 });
  const other = await opened.another([quick], { tracing });
  for (const run of [one, two!, three]) await other.get(run.id).result();
  const fork = await part.run("caller 4", () => other.get(one.id).fork({ from: "go" }));
  await fork.result();
  assertEquals(lines.filter((line) => line.includes("comes")), [
    "quick comes, epoch 1, from caller 1",
    "quick comes, epoch 1, from caller 2",
    "quick comes, epoch 1, from undefined",
    "quick comes, epoch 2, from caller 4",
  ]);
});

test("a run that is let go of for a long wait comes again, from where it was started", async () => {
  const { tracing, lines, part } = written();
  let isReady = false;
  const patient = workflow("patient").task("ask", {
    run() {
      if (!isReady) throw new DeferError("1m");
    },
  });
  await using opened = await open([patient], { tracing });
  const run = await part.run("the caller", () => opened.runner.start(patient));
  await opened.clock.settle();
  isReady = true;
  await opened.clock.until(run.result());
  assertEquals(lines, [
    "patient comes, epoch 1, from the caller",
    "ask 1 begins",
    "ask 1 failed by DeferError",
    "patient waiting",
    "patient comes, epoch 2, from the caller",
    "ask 1 begins",
    "ask 1 completed",
    "patient completed",
  ]);
});

for (
  const [what, end] of [["cancelled", "RunCancelledError"], ["pending", "ShutdownError"]] as const
) {
  test(`the attempts of a run that leaves as ${what} have ended before, as aborted`, async () => {
    const { tracing, lines } = written();
    const long = workflow("long").task("hang", { run: ({ ctx }) => untilAborted(ctx.signal) }).task("deaf", {
      run: never,
    });
    await using opened = await open([long], { tracing });
    const run = await opened.runner.start(long);
    await opened.clock.settle();
    if (what === "cancelled") await run.cancel();
    await opened.clock.advance("6s");
    await opened.clock.until(opened.runner.stop({ timeout: "1s" }));
    const [left, ...ends] = lines.slice(3).reverse();
    assertEquals([left, ends.sort()], [`long ${what}`, [`deaf 1 aborted by ${end}`, `hang 1 aborted by ${end}`]]);
  });
}

test("a run that another runner recovered ends as lost, and its running attempts as aborted", async () => {
  const { tracing, lines } = written();
  const long = workflow("long").task("deaf", { run: never });
  await using on = emptyStore("memory");
  const clock = createFakeClock();
  const store = await openPlace(on, { clock });
  const runner = await createRunner(store, { workflows: [long], clock, tracing });
  await runner.start(long);
  await clock.settle();
  for (const { id } of await store.runners()) await store.leave(id);
  await clock.advance("10s"); // by when it has seen that its row is gone
  assertEquals(lines.slice(0, 4), [
    "long comes, epoch 1, from undefined",
    "deaf 1 begins",
    "deaf 1 aborted by LeaseLostError",
    "long lost by LeaseLostError",
  ]);
  await clock.until(runner.stop({ timeout: 0 }));
  await store.close();
});

const METHODS = ["currentContext", "startRun", "startAttempt", "run", "endAttempt", "end"] as const;
for (const broken of METHODS) {
  test(`a tracing whose ${broken}() throws is logged and changes nothing`, async () => {
    const may = (name: typeof METHODS[number]): void => {
      if (name === broken) throw new Error(`${name} is broken`);
    };
    const tracing: Tracing = {
      currentContext: () => (may("currentContext"), undefined),
      startRun: () => (may("startRun"), {
        startAttempt: () => (may("startAttempt"), {
          run: (call) => (may("run"), call()),
          end: () => may("endAttempt"),
        }),
        end: () => may("end"),
      }),
    };
    const sum = workflow("sum").task("one", { run: () => 1 }).task("two", {
      after: ["one"],
      run: ({ one }) => one + 1,
    });
    await using opened = await open([sum], { tracing });
    const outcome = await opened.runner.execute(sum);
    assertEquals(outcome.status === "completed" && outcome.result, { one: 1, two: 2 });
    assertEquals(opened.lines[0]?.fields["error"], `Error: ${broken} is broken`);
  });
}

test("where a run was started is not stored if it is no text, or a long one", async () => {
  const quick = workflow("quick").task("go", { run: () => 1 });
  for (const text of ["x".repeat(1_001), "a\0b", 5 as unknown as string]) {
    const { tracing, lines } = written();
    await using opened = await open([quick], { tracing: { ...tracing, currentContext: () => text } });
    await opened.runner.execute(quick);
    assertEquals(lines[0], "quick comes, epoch 1, from undefined");
    assertEquals(opened.lines.map(({ level }) => level), ["warn"]);
  }
});

test("an invalid tracing is refused", async () => {
  const tracing = {} as Tracing;
  const error = await assertRejects(() => createRunner("sqlite::memory:", { workflows: [], tracing }), TypeError);
  assertEquals(error.message.includes("tracing must have currentContext and startRun"), true);
});
