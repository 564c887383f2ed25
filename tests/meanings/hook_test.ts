/** `onSuccess` and `onFailure`. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { createRunner, DefinitionError, type Store, unchecked, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { never, open } from "./open.ts";

test("onSuccess is called once with the output, when that is durable", async () => {
  const heard: unknown[] = [];
  const hooked = workflow("hooked").task("work", {
    run: () => ({ rows: 3 }),
    onSuccess: async ({ output, ctx }) => {
      const [task] = await opened.runner.get(ctx.runId).tasks();
      heard.push([output, ctx.taskId, ctx.attempt, task?.state]);
    },
  });
  await using opened = await open([hooked]);
  await opened.runner.execute(hooked);
  assertEquals(heard, [[{ rows: 3 }, "work", 1, "completed"]]);
});

test("onFailure is called once, after the last attempt, with what was thrown", async () => {
  const thrown = [new Error("first"), new Error("last")];
  const heard: unknown[] = [];
  const hooked = workflow("hooked").task("work", {
    retry: { attempts: 2, delay: 0 },
    run: ({ ctx }) => {
      throw thrown[ctx.attempt - 1];
    },
    onSuccess: () => heard.push("success"),
    onFailure: ({ error, ctx }) => heard.push([error === thrown[1], ctx.attempt]),
  });
  await using opened = await open([hooked]);
  await opened.clock.until(opened.runner.execute(hooked));
  assertEquals(heard, [[true, 2]]);
});

test("hooks receive what the body received", async () => {
  const heard: unknown[] = [];
  const hooked = workflow("hooked", { input: unchecked<{ day: number }>() })
    .task("first", { run: () => [1] })
    .task("second", { after: ["first"], run: () => "two" })
    .task("skipped", { when: () => false, run: () => 3 })
    .task("good", {
      after: ["second", "skipped"],
      reads: ["first"],
      run: ({ first }) => {
        first.push(9);
        return "done";
      },
      onSuccess: ({ output, first, second, skipped, input, status, ctx }) =>
        heard.push([output, first, second, skipped, input, status, ctx.taskId]),
    })
    .task("bad", {
      after: ["good"],
      reads: ["first"],
      retry: 1,
      run: () => boom(),
      onFailure: async ({ error, ...args }) => {
        await Promise.resolve();
        heard.push([String(error), args.good, args.first, args.input, args.status]);
      },
    });
  await using opened = await open([hooked]);
  await opened.runner.execute(hooked, { day: 5 });
  const status = { first: "completed", second: "completed", skipped: "skipped" };
  assertEquals(heard, [
    ["done", [1], "two", undefined, { day: 5 }, status, "good"],
    ["Error: no", "done", [1], { day: 5 }, { good: "completed", first: "completed" }],
  ]);
});

test("a hook of a resumed run receives the outputs of the tasks before it", async () => {
  const heard: unknown[] = [];
  const hooked = workflow("hooked")
    .map("items", { over: () => [1, 2], run: ({ item }) => item * 10 })
    .task("first", { run: () => "a".repeat(2_000) })
    .sleep("pause", { after: ["items", "first"], for: "1h" })
    .task("last", {
      after: ["pause"],
      reads: ["items", "first"],
      run: () => "done",
      onSuccess: ({ output, items, first }) => heard.push([output, items, first.length]),
    });
  await using opened = await open([hooked]);
  await opened.clock.until(opened.runner.execute(hooked), "1d");
  assertEquals(heard, [["done", [10, 20], 2_000]]);
});

test("the output of a map is kept until all hooks that read it have been called", async () => {
  const heard: unknown[] = [];
  const finish = Promise.withResolvers<void>();
  // Both end at the same time, and so in one commit.
  const reader = { run: () => finish.promise, onSuccess: ({ items }: { items: number[] }) => heard.push(items) };
  const hooked = workflow("hooked")
    .map("items", { over: () => [1, 2], run: ({ item }) => item * 10 })
    .task("a", { after: ["items"], ...reader })
    .task("b", { after: ["items"], ...reader });
  await using opened = await open([hooked]);
  const outcome = opened.runner.execute(hooked);
  await opened.clock.settle();
  finish.resolve();
  await outcome;
  assertEquals(heard, [[10, 20], [10, 20]]);
});

test("no task can be named as what hooks receive", () => {
  assertThrows(() => workflow("bad").task("error" as "x", { run: () => 1 }), DefinitionError, '"error"');
});

test("the end of a run is reported when its hooks have returned", async () => {
  const finish = Promise.withResolvers<void>();
  const hooked = workflow("hooked").task("work", { run: () => 1, onSuccess: () => finish.promise });
  await using opened = await open([hooked]);
  let isTold = false;
  const outcome = opened.runner.execute(hooked).then(() => isTold = true);
  await opened.clock.settle();
  assertEquals(isTold, false);
  finish.resolve();
  await outcome;
});

test("the end of a run is reported when its hooks have returned, even if the store was polled before", async () => {
  const [finish, returned, late] = [0, 1, 2].map(() => Promise.withResolvers<void>());
  const hooked = workflow("hooked").task("work", { run: () => finish!.promise, onSuccess: () => returned!.promise });
  await using on = emptyStore("memory");
  const clock = createFakeClock();
  const store = await openPlace(on, { clock });
  const asked: Store["ended"] = async (ids) => {
    await late!.promise;
    return await store.ended(ids);
  };
  const runner = await createRunner({ ...store, ended: asked }, { workflows: [hooked], clock });
  let isTold = false;
  const outcome = runner.execute(hooked).then(() => isTold = true);
  await clock.advance("2s"); // in which it asks
  finish!.resolve();
  await clock.settle();
  late!.resolve();
  await clock.settle();
  assertEquals(isTold, false);
  returned!.resolve();
  await outcome;
  await clock.until(runner.stop());
  await store.close();
});

test("a hook that never returns delays the end of its run for a limited time", async () => {
  const hooked = workflow("hooked").task("work", { run: () => 1, onSuccess: never });
  await using opened = await open([hooked]);
  const before = opened.clock.now();
  assertEquals((await opened.clock.until(opened.runner.execute(hooked))).status, "completed");
  assert(opened.clock.now() - before <= 5_000);
});

for (const [how, hook] of [["throws", () => boom()], ["rejects", () => Promise.reject(new Error("no"))]] as const) {
  test(`a hook that ${how} is logged and changes nothing`, async () => {
    const hooked = workflow("hooked").task("work", { run: () => 1, onSuccess: (): unknown => hook() });
    await using opened = await open([hooked]);
    assertEquals((await opened.runner.execute(hooked)).status, "completed");
    assertEquals(opened.lines.map(({ level, message }) => [level, message]), [["warn", 'A hook of task "work" threw']]);
  });
}

test("a skipped or cancelled task calls no hook", async () => {
  const heard: string[] = [];
  const hooks = { onSuccess: () => heard.push("success"), onFailure: () => heard.push("failure") };
  const quiet = workflow("quiet")
    .task("off", { when: () => false, run: () => 1, ...hooks })
    .task("hang", {
      run: ({ ctx }) => new Promise<void>((_, no) => ctx.signal.onabort = () => no(new Error("x"))),
      ...hooks,
    });
  await using opened = await open([quiet]);
  const run = await opened.runner.start(quiet);
  await opened.clock.settle();
  await run.cancel();
  await opened.clock.settle();
  assertEquals([(await run.status()).state, heard], ["cancelled", []]);
});

function boom(): never {
  throw new Error("no");
}
