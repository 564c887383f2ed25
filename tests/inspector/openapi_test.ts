/** That the document says what the API does, and the API does what the document says. */
import { assert, assertEquals } from "@std/assert";
import { createApp } from "../../lib/inspector/app.ts";
import { contextFor, pathsBelow } from "../../lib/inspector/reading.ts";
import { createRedactor } from "../../lib/inspector/redact.ts";
import { silent } from "../../lib/logger.ts";
import { workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { ask, etl, greet, ground, runnerOn } from "./ground.ts";
import { complaints, type Document } from "./json_schema.ts";

test("every path that there is stands in the document, and no other", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const reading = { context: contextFor(store, silent), redactor: createRedactor([]), path: pathsBelow("") };
  const { paths } = createApp(reading, {
    authorize: () => true,
    basePath: "",
    title: "t",
    logger: silent,
    patienceMs: 1_000,
  });
  const document = await read(ask(store));
  const written = paths.map((path) => path.replaceAll(/:(\w+)/g, "{$1}"));
  assertEquals([...new Set(written)].sort(), Object.keys(document.paths).sort());
});

test("the document refers to what is in it, and to all of that", async () => {
  await using on = ground("sqlite");
  const document = await read(ask(await on.open(), { basePath: "/ops", title: "Shop" }), "/ops");
  assertEquals([document.openapi, document.servers, document.info.title], ["3.1.0", [{ url: "/ops" }], "Shop"]);
  const names = new Set(
    [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!),
  );
  assertEquals([...names].sort(), Object.keys(document.components.schemas).sort());
});

test("every answer is as the document says", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  await using runner = await runnerOn(store, { workflows: [etl, greet, slow, pack] as never });
  const gate = Promise.withResolvers<void>();
  opened = gate.promise;
  const { runId } = await runner.execute(etl, { token: "t" }, { key: "k", tags: ["a"], timeout: "1h" });
  const greeted = await runner.execute(greet);
  const fork = await runner.get(greeted.runId).fork();
  await fork.outcome();
  const waiting = await runner.start(greet, undefined, { delay: "1h" });
  const paused = await runner.start(greet, undefined, { delay: "1h" });
  await paused.pause("later");
  const running = await (runner as unknown as { start(name: string): Promise<{ readonly id: string }> }).start("slow");
  const packed = await (runner as unknown as { execute(name: string): Promise<{ runId: string }> }).execute("pack");
  const asked = ask(runner);
  const document = await read(asked);
  const ids = [runId, greeted.runId, fork.id, waiting.id, paused.id, running.id, packed.runId];
  const paths = [
    ...[
      "/runs",
      "/runs?limit=1&q=k&state=failed&since=0&until=9999999999999&workflow=etl",
      "/runs?limit=2",
      "/workflows",
    ],
    ...["/workflows/etl", `/workflows/greet?version=${greet.version}`, "/schedules", "/limits", "/runners"],
    ...ids.map((id) => `/runs/${id}`),
    ...["", "?state=failed", "?limit=1&from=1"].map((query) => `/runs/${packed.runId}/tasks/boxes/items${query}`),
  ].map((path) => `/api${path}`).concat("/healthz");
  for (const path of paths) {
    const answer = await asked(path);
    assertEquals([path, answer.status], [path, 200]);
    assertEquals(complaints(document, schemaFor(document, path), await answer.json()), [], path);
  }
  for (const path of ["/api/runs/none", "/api/none", "/api/runs?state=x"]) {
    const problem = await (await asked(path)).json();
    assertEquals(complaints(document, { $ref: "#/components/schemas/Problem" }, problem), [], path);
  }
  gate.resolve();
});

test("an answer that is not as the document says is found", async () => {
  await using on = ground("sqlite");
  const asked = ask(await on.open());
  const document = await read(asked);
  const answer = await (await asked("/api/runs")).json();
  const wrong = [
    { ...answer, at: "now" },
    { ...answer, more: 1 },
    { ...answer, at: undefined },
    { ...answer, filter: { ...answer.filter, states: ["odd"] } },
    { ...answer, counts: { ...answer.counts, failed: { count: -1, precision: "exact" } } },
  ];
  for (const each of wrong) {
    assert(
      complaints(document, { $ref: "#/components/schemas/RunsPage" }, JSON.parse(JSON.stringify(each))).length > 0,
    );
  }
});

let opened: Promise<void> = Promise.resolve();

const slow = workflow("slow").task("wait", {
  async run({ ctx }) {
    ctx.progress(1);
    await opened;
  },
});

const pack = workflow("pack").map("boxes", {
  over: () => [1, 2, 3],
  onItemFailure: "collect",
  retry: 1,
  run({ item, ctx }) {
    ctx.progress(1, 2, "half");
    if (item === 2) throw new Error("no");
    return item;
  },
});

async function read(asked: (path: string) => Promise<Response>, basePath = ""): Promise<Document> {
  return await (await asked(`${basePath}/api/openapi.json`)).json();
}

function schemaFor({ paths }: Document, asked: string): unknown {
  const path = asked.split("?")[0]!;
  const [, item] = Object.entries(paths).find(([template]) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path)
  )!;
  return item.get.responses["200"]!.content!["application/json"]!.schema;
}
