/** The items of a map: the API, the pages, and what they cost however many items there are. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createRunner, NonRetryableError, unchecked, workflow } from "../../mod.ts";
import type { ItemsPage } from "../../lib/inspector/item_shape.ts";
import type { RunPage } from "../../lib/inspector/run_shape.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { ask, type Ground, ground, KINDS } from "./ground.ts";

const convert = workflow("convert").map("files", {
  over: () => ["a", "b", "c", "d"],
  retry: { attempts: 2, delay: 1, jitter: false },
  onItemFailure: "collect",
  run({ item, ctx }) {
    if (item === "b" && ctx.attempt === 1) throw new Error("busy");
    if (item === "c") throw new NonRetryableError("no image", { cause: new Error("secret path") });
    return { name: item === "a" ? "a".repeat(400) : item, secret: "hunter2" };
  },
});

const undone = workflow("undone").map("seats", {
  over: () => [1, 2, 3],
  onItemFailure: "finish",
  run({ item }) {
    if (item === 2) throw new NonRetryableError("taken");
  },
  undo() {},
});

const ship = workflow("ship", { input: unchecked<number>() })
  .event("sent", { schema: unchecked<string>() })
  .returns("sent");

const shipAll = workflow("shipAll").map("parcels", {
  over: () => [7, 8, 9],
  concurrency: 2,
  workflow: ship,
  input: ({ item }) => item,
});

for (const kind of KINDS) {
  test(`${kind}: the items of a map have their attempts, errors and outputs`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using runner = await createRunner(store, { workflows: [convert] });
    const { runId } = await runner.execute(convert);
    const asked = ask(runner);
    const page: ItemsPage = await read(asked, `/api/runs/${runId}/tasks/files/items`);
    assertEquals(page.counts, { ...NONE, total: 4, completed: 3, failed: 1 });
    assertEquals(page.items.map(({ index, state, attempts, failure }) => [index, state, attempts, failure]), [
      [0, "completed", 1, undefined],
      [1, "completed", 2, "Error: busy"],
      [2, "failed", 1, "NonRetryableError: no image"],
      [3, "completed", 1, undefined],
    ]);
    assertEquals(page.items[1]?.history.map(({ number, state }) => [number, state]), [[1, "failed"], [2, "completed"]]);
    assertEquals(page.items[2]?.error?.cause?.message, "secret path");
    const { text = "", isTruncated, href = "" } = page.items[0]?.output ?? {};
    assertEquals([text.length, isTruncated], [300, true]);
    assertEquals(await read(asked, href), { name: "a".repeat(400), secret: "hunter2" });
    assertEquals([page.previousHref, page.nextHref, page.searchedTo], [undefined, undefined, undefined]);
    const failed: ItemsPage = await read(asked, `/api/runs/${runId}/tasks/files/items?state=failed`);
    assertEquals(failed.items.map(({ index }) => index), [2]);

    const run: RunPage = await read(asked, `/api/runs/${runId}`);
    const map = run.tasks[0]?.items;
    assertEquals([map?.counts, map?.href], [page.counts, `/runs/${runId}/tasks/files/items`]);
    assertEquals(map?.cells.map(({ state }) => state), ["completed", "completed", "failed", "completed"]);
    const html = await (await asked(`/runs/${runId}/tasks/files/items`)).text();
    for (const part of ["item 2: failed: NonRetryableError: no image", "3 completed", "secret path", `id="item-3"`]) {
      assertStringIncludes(html, part);
    }
    const runHtml = await (await asked(`/runs/${runId}`)).text();
    for (const part of ["files: 3 of 4 items completed, 1 failed", "Outputs of 4 items", "All 4 items of files"]) {
      assertStringIncludes(runHtml, part);
    }
  });

  test(`${kind}: items that were undone are counted and listed as such`, async () => {
    await using on = ground(kind);
    await using runner = await createRunner(await on.open(), { workflows: [undone], logger: false });
    const { runId } = await runner.execute(undone);
    const asked = ask(runner);
    const page: ItemsPage = await read(asked, `/api/runs/${runId}/tasks/seats/items?state=compensated`);
    assertEquals(page.counts, { ...NONE, total: 3, failed: 1, compensated: 2 });
    assertEquals(page.items.map(({ index, state }) => [index, state]), [[0, "compensated"], [2, "compensated"]]);
    const { tasks }: RunPage = await read(asked, `/api/runs/${runId}`);
    assertEquals(tasks[0]?.items?.counts, page.counts);
    assertEquals([tasks[0]?.progress, tasks[0]?.undo?.progress], [
      { done: 3, total: 3, message: "0 of 3 items completed, 1 failed, 2 compensated" },
      { done: 2, total: 2, message: "2 of 2 items completed" },
    ]);
    const html = await (await asked(`/runs/${runId}`)).text();
    assertStringIncludes(html, `?state=compensated">`);
    assertStringIncludes(html, "2 compensated");
  });

  test(`${kind}: what is hidden of a map's output or errors is hidden of its items`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using runner = await createRunner(store, { workflows: [convert] });
    const { runId } = await runner.execute(convert);
    const paths = [`/api/runs/${runId}`, `/runs/${runId}`, `/api/runs/${runId}/tasks/files/items`];
    paths.push(`/runs/${runId}/tasks/files/items`, `/api/runs/${runId}/tasks/files/items/0/output`);
    const shown = await Promise.all(paths.slice(2).map(async (path) => await (await ask(runner)(path)).text()));
    assertEquals(shown.map((text) => [text.includes("hunter2"), text.includes("secret path")]), [
      [true, true],
      [true, true],
      [true, false],
    ]);
    const redacts = [
      ["tasks.files.output.*.secret", "tasks.files.error.cause"],
      // As in the output of a map that collects.
      ["tasks.files.output.*.value.secret", "**.cause"],
      ["tasks.files.output", "tasks.files.error"],
    ];
    for (const redact of redacts) {
      const asked = ask(runner, { redact });
      for (const path of paths) {
        const text = await (await asked(path)).text();
        assertEquals([redact, path, /hunter2|secret path/.test(text)], [redact, path, false]);
      }
    }
  });

  test(`${kind}: an item with a child run leads to it`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using runner = await createRunner(store, { workflows: [shipAll, ship], logger: false });
    const run = await runner.start(shipAll);
    await until(async () => (await run.children()).length === 2);
    const asked = ask(runner);
    const items = async (query = ""): Promise<readonly unknown[]> => {
      const page: ItemsPage = await read(asked, `/api/runs/${run.id}/tasks/parcels/items${query}`);
      return page.items.map(({ index, state, child }) => [index, state, child?.id]);
    };
    const [first, second] = await run.children();
    await until(async () => (await items("?state=waiting")).length === 2);
    assertEquals(await items(), [[0, "waiting", first!.id], [1, "waiting", second!.id], [2, "pending", undefined]]);
    assertEquals(await items("?state=waiting&from=1"), [[1, "waiting", second!.id]]);
    const { tasks }: RunPage = await read(asked, `/api/runs/${run.id}`);
    assertEquals(tasks[0]?.items?.cells.map(({ child }) => child?.href), [
      `/runs/${first!.id}`,
      `/runs/${second!.id}`,
      undefined,
    ]);
    for (const { id } of [first!, second!]) await runner.get(id).cancel("lost");
    await run.outcome();
    const states = (await read<ItemsPage>(asked, `/api/runs/${run.id}/tasks/parcels/items`)).items;
    assertEquals(states.map(({ child }) => child?.state).slice(0, 2), ["cancelled", "cancelled"]);
  });

  test(`${kind}: pages of a million items are bounded, and lead to the next`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await fill(on, kind);
    let rows = 0;
    const inspection: typeof store.inspection = {
      ...store.inspection,
      items: async (query) => {
        const heads = await store.inspection.items(query);
        rows += heads.length;
        return heads;
      },
    };
    const asked = ask({ ...store, inspection });
    const items = `/api/runs/${ID}/tasks/m/items`;
    const page = async (query: string): Promise<ItemsPage> => {
      const answer = await asked(`${items}${query}`);
      const text = await answer.text();
      assertEquals(answer.status, 200);
      assert(text.length < 400_000, `${query}: ${text.length} characters`);
      return JSON.parse(text);
    };
    const shown = ({ items, previousHref, nextHref }: ItemsPage) =>
      [items[0]?.index, items.at(-1)?.index, previousHref, nextHref].map((each) =>
        typeof each === "string" ? each.replace(/^.*items/, "") : each
      );
    assertEquals(shown(await page("")), [0, 199, undefined, "?from=200"]);
    assertEquals(shown(await page("?from=59900&limit=500")), [
      59_900,
      60_399,
      "?from=59400&limit=500",
      "?from=60400&limit=500",
    ]);
    assertEquals(shown(await page("?from=999900")), [999_900, 999_999, "?from=999700", undefined]);
    assertEquals((await page("?from=999900")).items.map(({ state }) => state), Array(100).fill("pending"));
    assertEquals(shown(await page("?from=1000000")), [undefined, undefined, "?from=999800", undefined]);
    assertEquals((await page("")).counts, {
      ...NONE,
      total: 1_000_000,
      completed: 59_999,
      failed: 1,
      pending: 940_000,
    });
    assert(rows < 2_000, `${rows} rows were read`);

    // The only failed item is the last that has a row: it is found in the second part.
    const first = await page("?state=failed");
    assertEquals([first.items, first.searchedTo, first.nextHref?.endsWith("?state=failed&from=50000")], [
      [],
      49_999,
      true,
    ]);
    assertEquals((await page("?state=failed&from=50000")).items.map(({ index }) => index), [59_999]);
    const { tasks }: RunPage = await read(asked, `/api/runs/${ID}`);
    assertEquals(tasks[0]?.items?.cells.length, 100);
    for (const path of [`/runs/${ID}`, `/runs/${ID}/tasks/m/items?limit=500`]) {
      const text = await (await asked(path)).text();
      assert(text.length < 1_500_000, `${path}: ${text.length} characters`);
    }
  });
}

test("a map that does not exist, and a parameter that is wrong, are refused", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  await using runner = await createRunner(store, { workflows: [convert] });
  const { runId } = await runner.execute(convert);
  const status = async (path: string): Promise<number> => (await ask(runner)(`/api/runs/${path}`)).status;
  assertEquals(await status(`${runId}/tasks/none/items`), 404);
  assertEquals(await status("none/tasks/files/items"), 404);
  for (const query of ["state=odd", "from=-1", "from=x", "limit=0", "limit=501", "state=failed&state=running"]) {
    assertEquals([query, await status(`${runId}/tasks/files/items?${query}`)], [query, 400]);
  }
  for (const item of ["2", "9", "x", "-1", "1e3", "99999999999"]) {
    assertEquals([item, await status(`${runId}/tasks/files/items/${item}/output`)], [item, 404]);
  }
});

test("a map that has not started has no items yet", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  await using runner = await createRunner(store, { workflows: [convert] });
  const run = await runner.start(convert, undefined, { delay: "1h" });
  const page: ItemsPage = await read(ask(runner), `/api/runs/${run.id}/tasks/files/items`);
  assertEquals([page.items, page.counts], [[], { ...NONE, total: 0 }]);
  const html = await (await ask(runner)(`/runs/${run.id}/tasks/files/items`)).text();
  assertStringIncludes(html, "the array of the map is empty or not computed yet");
});

const NONE = { completed: 0, failed: 0, running: 0, waiting: 0, blocked: 0, pending: 0, cancelled: 0, compensated: 0 };

const ID = "0190a000-0000-7000-8000-000000000001";

/** A run with a map of a million items, of which 60,000 have a row. */
async function fill(on: Ground, kind: typeof KINDS[number]): Promise<void> {
  await on.run(`
    insert into runs (epoch, state, id, workflow, version, tags, priority, due_at, created_at, input, started_at)
    values (1, 'waiting', '${ID}', 'w', 'v', '[]', 0, 99999999999999, 1, 'null', 1)`);
  await on.run(`
    insert into tasks (run, task, item, step, epoch, state, attempts, items)
    select seq, 'm', -1, '', 1, 'running', 1, 1000000 from runs`);
  const numbers = kind === "sqlite"
    ? "(with recursive n (n) as (select 0 union all select n + 1 from n where n < 59999) select n from n) as numbers"
    : "generate_series(0, 59999) as n";
  await on.run(`
    insert into tasks (run, task, item, step, epoch, state, attempts, output)
    select (select seq from runs), 'm', n, '', 1, case when n < 59999 then 'completed' else 'failed' end, 1,
           '"${"x".repeat(20)}"'
      from ${numbers}`);
}

async function read<T>(asked: ReturnType<typeof ask>, path: string): Promise<T> {
  const answer = await asked(path);
  assertEquals([path, answer.status], [path, 200]);
  return await answer.json();
}
