/** The items of a map in pages: `handle.items()`. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ItemListOptions } from "../../lib/engine/reading/item_list.ts";
import { unchecked, UnknownTaskError, workflow } from "../../mod.ts";
import type { ItemInfo, ItemPage } from "../../lib/types/mod.ts";
import { test } from "../harness.ts";
import { never, open } from "./open.ts";

/** Reads all pages. */
async function all<Output>(page: (options: ItemListOptions) => Promise<ItemPage<Output>>): Promise<ItemInfo<Output>[]> {
  const items: ItemInfo<Output>[] = [];
  let cursor: string | undefined;
  do {
    const read = await page(cursor === undefined ? {} : { cursor });
    items.push(...read.items);
    cursor = read.cursor;
  } while (cursor !== undefined);
  return items;
}

test("the items of a map are listed in pages, each once and in order", async () => {
  const square = workflow("square").map("squares", {
    over: () => Array.from({ length: 25 }, (_, n) => n),
    run: ({ item }) => item * item,
  });
  await using opened = await open([square], { shared: true });
  const run = await opened.runner.start(square);
  await run.result();
  const client = await opened.client([square]);
  for (const handle of [run, client.get(run.id)]) {
    const first = await handle.items("squares", { limit: 10 });
    assertEquals(
      first.items.map(({ index, output }) => [index, output]),
      Array.from({ length: 10 }, (_, n) => [n, n * n]),
    );
    assert(first.cursor !== undefined);
    const second = await handle.items("squares", { limit: 10, cursor: first.cursor });
    assertEquals(second.items.map(({ index }) => index), [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    const items = await all((options) => handle.items("squares", { limit: 7, ...options }));
    assertEquals(
      items.map(({ index, state, attempts }) => [index, state, attempts]),
      items.map((_, n) => [n, "completed", 1]),
    );
    assertEquals(items.length, 25);
  }
  assertEquals((await run.items("squares", { limit: 25 })).cursor, undefined);
  assertEquals((await run.items("squares", { limit: 24 })).cursor, "23");
});

test("each item has its state, attempts, failures, progress and times, also if it has not started", async () => {
  const mixed = workflow("mixed").map("items", {
    over: () => ["ok", "wait", "run", "bad", "later", "last"],
    concurrency: 4,
    onItemFailure: "finish",
    retry: {
      attempts: 2,
      delay: "1m",
      maxDelay: "1m",
      jitter: false,
      retryIf: (error) => String(error).includes("wait"),
    },
    run({ item, ctx }) {
      if (item === "run") return ctx.progress(3, 9), never();
      if (item === "later") return never();
      if (item === "wait" || item === "bad") throw new Error(item);
      return item;
    },
  });
  await using opened = await open([mixed]);
  const run = await opened.runner.start(mixed, undefined, { delay: "1s" });
  assertEquals(await run.items("items"), { items: [], cursor: undefined });
  await opened.clock.advance("2s");
  const startedAt = (await run.status()).startedAt!;
  const { items } = await run.items("items");
  assertEquals(
    items.map((
      { index, state, attempts, output, error, dueAt, startedAt: at },
    ) => [index, state, attempts, output, error?.message, dueAt && dueAt - startedAt, at && at - startedAt]),
    [
      [0, "completed", 1, "ok", undefined, undefined, 0],
      [1, "waiting", 1, undefined, "wait", 60_000, 0],
      [2, "running", 1, undefined, undefined, undefined, 0],
      [3, "failed", 1, undefined, "bad", undefined, 0],
      [4, "running", 1, undefined, undefined, undefined, 0],
      [5, "completed", 1, "last", undefined, undefined, 0],
    ],
  );
  assertEquals(items[2]?.progress, { done: 3, total: 9 });
  assertEquals(items[3]?.failures.map(({ item, attempt, error }) => [item, attempt, error.message]), [[3, 1, "bad"]]);
  for (const state of ["running", "waiting", "blocked", "completed", "failed"] as const) {
    const expected = items.filter((item) => item.state === state).map(({ index }) => index);
    const found = await all((options) => run.items("items", { state, limit: 1, ...options }));
    assertEquals(found.map(({ index }) => index), expected, state);
  }
  await run.cancel("enough");
  await opened.clock.until(run.outcome());
  const states = (await run.items("items")).items.map(({ state }) => state);
  assertEquals(states, ["completed", "cancelled", "cancelled", "failed", "cancelled", "completed"]);
  assertEquals((await run.items("items", { state: "waiting" })).items, []);
});

test("items that have not started are pending, and cancelled once their map has failed", async () => {
  const stop = workflow("stop")
    .map("items", {
      over: () => [0, 1, 2],
      concurrency: 1,
      retry: 1,
      run: ({ item, ctx }) => ctx.step("wait", () => later(item)),
    })
    .task("end", { on: "settled", after: ["items"], run: never });
  const later = async (item: number): Promise<number> => {
    await new Promise<void>((resolve) => void opened.clock.after(1_000, resolve));
    if (item === 1) throw new Error("down");
    return item;
  };
  await using opened = await open([stop]);
  const run = await opened.runner.start(stop);
  const states = async (): Promise<unknown[]> => (await run.items("items")).items.map(({ state }) => state);
  await opened.clock.advance(500);
  assertEquals(await states(), ["running", "pending", "pending"]);
  await opened.clock.advance(1_000);
  assertEquals(await states(), ["completed", "running", "pending"]);
  await opened.clock.advance(2_000);
  assertEquals(await states(), ["completed", "failed", "cancelled"]);
});

test("the outputs of a map that collects are those of its items, and its errors their errors", async () => {
  const collect = workflow("collect").map("items", {
    over: () => [1, 2],
    onItemFailure: "collect",
    retry: 1,
    run({ item }) {
      if (item === 2) throw new Error("two");
      return { n: item };
    },
  });
  await using opened = await open([collect]);
  const run = await opened.runner.start(collect);
  await run.result();
  const { items } = await run.items("items");
  const outputs: ({ n: number } | undefined)[] = items.map(({ output }) => output);
  assertEquals(outputs, [{ n: 1 }, undefined]);
  assertEquals(items.map(({ error }) => error?.message), [undefined, "two"]);
});

test("the items of a map of child runs are listed with the results and the errors of these", async () => {
  const child = workflow("child", { input: unchecked<number>() })
    .task("work", {
      retry: 1,
      run({ input }) {
        if (input === 2) throw new Error("two");
        return input * 10;
      },
    })
    .returns("work");
  const parent = workflow("parent").map("items", {
    over: () => [1, 2, 3],
    onItemFailure: "collect",
    workflow: child,
    input: ({ item }) => item,
  });
  await using opened = await open([parent]);
  const run = await opened.runner.start(parent);
  await opened.clock.until(run.result());
  const { items } = await run.items("items");
  const outputs: (number | undefined)[] = items.map(({ output }) => output);
  assertEquals(outputs, [10, undefined, 30]);
  assertEquals(items.map(({ state }) => state), ["completed", "failed", "completed"]);
  assertEquals(items.map(({ error }) => error?.message.includes("child")), [undefined, true, undefined]);
});

test("a page of large outputs is shorter, and the pages together hold every item", async () => {
  const large = workflow("large").map("items", {
    over: () => [0, 1, 2, 3, 4, 5],
    run: ({ item }) => `${item}`.repeat(900_000),
  });
  await using opened = await open([large]);
  const run = await opened.runner.start(large);
  await opened.clock.until(run.outcome());
  const page = await run.items("items");
  assertEquals([page.items.length, page.cursor], [3, "2"]);
  for (const state of [undefined, "completed"] as const) {
    const items = await all((options) => run.items("items", { ...(state !== undefined && { state }), ...options }));
    assertEquals(items.map(({ output }) => output?.[0]), ["0", "1", "2", "3", "4", "5"]);
  }
});

test("a page of a map of 100,000 items reads no more than its items", async () => {
  const many = workflow("many").map("items", {
    over: () => Array.from({ length: 100_000 }, (_, n) => n),
    concurrency: 2,
    run: ({ item }) => item < 4 ? item : never(),
  });
  await using opened = await open([many]);
  const run = await opened.runner.start(many);
  await opened.clock.advance("1s");
  const { items, cursor } = await run.items("items", { cursor: "99997", limit: 10 });
  assertEquals([items.map(({ index, state }) => [index, state]), cursor], [
    [[99_998, "pending"], [99_999, "pending"]],
    undefined,
  ]);
  const statements = async (): Promise<number> => (await opened.runner.stats()).store.statements;
  const ofStats = -await statements() + await statements();
  const before = await statements();
  assertEquals((await run.items("items", { state: "completed" })).items.length, 4);
  // Ten searches of 10,000 items, and three reads of the run, of the map and of the counts.
  assert(await statements() - before - ofStats <= 13);
});

test("what is not a map, and wrong options, are refused with the reason", async () => {
  const other = workflow("other").task("list", { run: () => [1] }).map("items", {
    over: () => [1],
    run: ({ item }) => item,
  });
  await using opened = await open([other]);
  const run = await opened.runner.start(other);
  await run.result();
  await assertRejects(
    () => run.items("list"),
    UnknownTaskError,
    'workflow "other" has no map "list": this task is of kind task',
  );
  await assertRejects(
    () => run.items("item" as "items"),
    UnknownTaskError,
    'has no task "item" (did you mean "items"?)',
  );
  await assertRejects(() => run.items("items", { limit: 2_000 }), TypeError, "limit must be at most 1000, not 2000");
  await assertRejects(() => run.items("items", { cursor: "x" }), TypeError, "cursor must be the cursor of a page");
  await assertRejects(
    () => run.items("items", { state: "pending" as "failed" }),
    TypeError,
    'state must be one of "running"',
  );
  await assertRejects(() => run.items("items", { states: "failed" } as object), TypeError, 'unknown option "states"');
  await assertRejects(() => opened.runner.get("0199b26c-0000-7000-8000-000000000000").items("items"), Error, "no run");
});
