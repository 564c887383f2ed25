/** What a request may cost the process that answers it, whatever is asked and whatever is stored. */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import type { RunsPage } from "../../lib/inspector/mod.ts";
import { test } from "../harness.ts";
import { ask, ground, KINDS } from "./ground.ts";

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
  test(`${kind}: a search for many tags among runs with many tags is cheap, and lets other work run`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    const tags = Array.from({ length: 100 }, (_, i) => `tag ${i} `.padEnd(200, "x"));
    await fillTagged(on, kind, JSON.stringify(tags));
    const asked = ask(store);
    const wanted = [...tags.slice(0, 19), "none"].map((tag) => `tag=${encodeURIComponent(tag.slice(0, 200).trim())}`);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const before = process.threadCpuUsage();
    const page: RunsPage = await (await asked(`/api/runs?${wanted.join("&")}`)).json();
    const { user, system } = process.threadCpuUsage(before);
    clearInterval(timer);
    assertEquals(page.runs.length, 0);
    // It took 15 s when the tags of a row were parsed once for each that is wanted.
    assert((user + system) / 1_000 < 4_000, `${(user + system) / 1_000} ms of CPU time`);
    assert(turns >= 10, `${turns} turns of the event loop`);
  });
}

/** Ten thousand completed runs with the same tags. */
async function fillTagged(on: ReturnType<typeof ground>, kind: typeof KINDS[number], tags: string): Promise<void> {
  const isSqlite = kind === "sqlite";
  const numbers = isSqlite
    ? "(with recursive n (n) as (select 1 union all select n + 1 from n where n < 10000) select n from n) as numbers"
    : "generate_series(1, 10000) as n";
  const id = isSqlite
    ? "printf('0190a000-0000-7000-8000-%012x', n)"
    : "('0190a000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid";
  await on.run(`
    insert into runs (epoch, state, id, workflow, version, tags, priority, due_at, created_at, input, started_at, ended_at)
    select 1, 'completed', ${id}, 'w', 'v', '${tags}', 0, 1, ${Date.now()}, 'null', 1, 2 from ${numbers}`);
}
