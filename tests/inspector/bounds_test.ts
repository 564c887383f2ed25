/** Bounds of what a request costs the process, whatever it asks for and whatever is stored. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { RunPage } from "../../lib/inspector/run_shape.ts";
import type { RunsPage } from "../../lib/inspector/shapes.ts";
import { createRunner, workflow } from "../../mod.ts";
import { cpuMsUntil } from "../cpu.ts";
import { test } from "../harness.ts";
import { ask, ground, KINDS, numbered } from "./ground.ts";

const mapped = workflow("mapped").map("m", { version: "1", over: () => [1, 2], run: ({ item }) => item });

test("a parameter that is repeated, or too long, is refused by name", async () => {
  await using on = ground("sqlite");
  const asked = ask(await on.open());
  const many = (count: number, name: string): string =>
    Array.from({ length: count }, (_, i) => `${name}=${name}${i}`).join("&");
  assertEquals((await asked(`/api/runs?${many(20, "tag")}`)).status, 200);
  for (const name of ["tag", "q", "workflow", "since", "limit", "cursor"]) {
    const answer = await asked(`/api/runs?${many(21, name)}`);
    assertEquals([answer.status, (await answer.json()).message.split(" ")[0]], [400, name]);
  }
  for (const name of ["tag", "q", "workflow", "state", "since", "until", "limit", "cursor"]) {
    assertEquals((await asked(`/api/runs?${name}=${"a".repeat(501)}`)).status, 400, name);
  }
  assertEquals((await asked(`/api/workflows/etl?version=${"a".repeat(501)}`)).status, 400);
  for (const path of ["/api/runs", "/runs", "/workflows/a", "/api/live"]) {
    assertEquals((await asked(`${path}?x=${"a".repeat(9_000)}`)).status, 400, path);
  }
});

for (const kind of KINDS) {
  test(`${kind}: no part of a path or a query is an error of the database, whatever text it is`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    const runner = await createRunner(store, { workflows: [mapped] });
    const run = await runner.start(mapped);
    await run.result();
    const asked = ask(store);
    const server: number[] = [];
    for (const text of ["%00", "a%00b", "%ED%A0%80", "%uD800", "\u{1F600}", "'", "x".repeat(400)]) {
      for (
        const path of [
          `/runs/${text}`,
          `/runs/${run.id}/tasks/${text}/items`,
          `/runs/${run.id}/tasks/m/items?cursor=${text}`,
          `/runs/${run.id}/tasks/m/items?state=${text}`,
          `/runs/${run.id}/tasks/${text}/output`,
          `/runs/${run.id}/tasks/m/items/${text}/output`,
          `/runs/${run.id}/tasks/m/steps/${text}/output`,
          `/workflows/${text}`,
          `/workflows/mapped?version=${text}`,
          ...["q", "tag", "workflow", "state", "since", "until", "limit", "cursor"].map((key) =>
            `/runs?${key}=${text}`
          ),
          `/live?run=${text}`,
        ]
      ) {
        for (const prefix of ["", "/api"]) {
          const response = await asked(prefix + path);
          await response.body?.cancel();
          if (response.status >= 500) server.push(response.status);
          assertEquals(server, [], prefix + path);
        }
      }
    }
    await runner.stop();
  });

  test(`${kind}: a search for many tags among runs with many tags is cheap, and lets other work run`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    const tags = Array.from({ length: 100 }, (_, i) => `tag ${i} `.padEnd(200, "x"));
    await fillTagged(on, kind, JSON.stringify(tags));
    const asked = ask(store);
    const wanted = [...tags.slice(0, 19), "none"].map((tag) => `tag=${encodeURIComponent(tag.slice(0, 200).trim())}`);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const ms = await cpuMsUntil(async () => {
      const page: RunsPage = await (await asked(`/api/runs?${wanted.join("&")}`)).json();
      assertEquals(page.runs.length, 0);
    });
    clearInterval(timer);
    // It took 15 s when the tags of a row were parsed once for each that is wanted.
    assert(ms < 4_000, `${ms} ms of CPU time`);
    assert(turns >= 10, `${turns} turns of the event loop`);
  });
}

/** Ten thousand completed runs with the same tags. */
async function fillTagged(on: ReturnType<typeof ground>, kind: typeof KINDS[number], tags: string): Promise<void> {
  const { numbers, id } = numbered(kind, 10_000);
  await on.run(`
    insert into runs (epoch, state, id, workflow, version, tags, priority, due_at, created_at, input, started_at, ended_at)
    select 1, 'completed', ${id}, 'w', 'v', '${tags}', 0, 1, ${Date.now()}, 'null', 1, 2 from ${numbers}`);
}

for (const kind of KINDS) {
  test(`${kind}: a run of very many tasks has a page of bounded size, which says what it leaves out`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    const id = "0190a000-0000-7000-8000-000000000001";
    const names = Array.from({ length: 12_000 }, (_, i) => `t${i}`);
    const tasks = names.map((task, i) => ({ ...TASK, id: task, after: names.slice(Math.max(0, i - 3), i) }));
    const graph = JSON.stringify({ name: "huge", tasks });
    await on.run(`insert into workflows (workflow, version, structure, graph, created_at)
                  values ('huge', 'v', 's', '${graph}', 1)`);
    await fillRun(on, kind, id);
    const asked = ask(store);
    for (const path of [`/runs/${id}`, `/api/runs/${id}`, "/workflows/huge", "/api/workflows/huge"]) {
      const answer = await asked(path);
      const text = await answer.text();
      assertEquals([path, answer.status], [path, 200]);
      assert(text.length < 6_000_000, `${path}: ${text.length} characters`);
      assert(text.includes("left out: 11,000 tasks"), path);
    }
    const page: RunPage = await (await asked(`/api/runs/${id}`)).json();
    assertMatch(
      page.leftOut ?? "",
      /^This run is too large .* left out: 11,000 tasks, 18 dependencies; left out: \d+ errors in full; only 5,000 rows /,
    );
    // Those that failed are all there.
    assertEquals([page.tasks.length, page.taskCounts.failed], [1_000, 5_000]);
    assertEquals(new Set(page.tasks.map(({ state }) => state)), new Set(["failed"]));
  });
}

test("a definition that is too large is not read", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const tasks = Array.from({ length: 30_000 }, (_, i) => ({ ...TASK, id: `t${i}`, after: [] }));
  await on.run(`insert into workflows (workflow, version, structure, graph, created_at)
                values ('huge', 'v', 's', '${JSON.stringify({ name: "huge", tasks })}', 1)`);
  const definition: typeof store.definition = () => Promise.reject(new Error("it was read"));
  const answer = await ask({ ...store, definition })("/api/workflows/huge");
  assertEquals([answer.status, (await answer.json()).graph.isKnown], [200, false]);
});

const TASK = { kind: "task", on: "success", conditional: false, attempts: 1 };

/** A failed run whose 12,000 tasks have failed, each with a stack. */
async function fillRun(on: ReturnType<typeof ground>, kind: typeof KINDS[number], id: string): Promise<void> {
  await on.run(`
    insert into runs (epoch, state, id, workflow, version, tags, priority, due_at, created_at, input, started_at, ended_at)
    values (1, 'failed', '${id}', 'huge', 'v', '[]', 0, 1, 1, 'null', 1, 2)`);
  const numbers = kind === "sqlite"
    ? "(with recursive n (n) as (select 0 union all select n + 1 from n where n < 11999) select n from n) as numbers"
    : "generate_series(0, 11999) as n";
  const error = { name: "Error", message: "no", stack: "at ".repeat(800) };
  const failures = JSON.stringify([{ taskId: "t", attempt: 1, error }]);
  await on.run(`
    insert into tasks (run, task, item, step, epoch, state, attempts, failures)
    select (select seq from runs), 't' || n, -1, '', 1, 'failed', 1, '${failures}' from ${numbers}`);
}
