/** Server-sent events: which client receives which, and what they cost. */
import { assert, assertEquals } from "@std/assert";
import { createLive, type Live, type LiveTimes } from "../../lib/inspector/live.ts";
import { createInspector } from "../../lib/inspector/mod.ts";
import { silent } from "../../lib/logger.ts";
import { createClient, type Store } from "../../mod.ts";
import { test } from "../harness.ts";
import { until, within } from "../within.ts";
import { ask, etl, greet, ground, KINDS, runnerOn } from "./ground.ts";
import { serve } from "./server.ts";

// A slow machine must not look like a browser that has gone: the time limit ends no stream except in its own test.
const QUICK: LiveTimes = { lookMs: 20, hintMs: 5, beatMs: 200, patienceMs: 600_000 };

for (const kind of KINDS) {
  test(`${kind}: a stream of a run reports changes, and the end`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using client = await createClient(store, { workflows: [greet] });
    const { id } = await client.start(greet);
    const live = createLive(store, silent, QUICK);
    await using watch = watcher(live.open(id, await live.mark(id)));
    await (await client.get(id)).pause("a moment");
    assertEquals(await watch.next(), "changed");
    await (await client.get(id)).cancel();
    assertEquals(await watch.until("ended"), true);
    assertEquals([await watch.next(), live.size], [undefined, 0]);
  });

  test(`${kind}: a stream of lists reports what another process starts`, async () => {
    await using on = ground(kind);
    const live = createLive(await on.open({ readOnly: await isThere(on.open) }), silent, QUICK);
    await using client = await createClient(await on.open(), { workflows: [greet] });
    await using watch = watcher(live.open(undefined, await live.mark(undefined)));
    await client.start(greet);
    assertEquals(await watch.next(), "changed");
  });

  test(`${kind}: hundreds of streams cost one read, and no stream costs none`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using client = await createClient(store, { workflows: [greet] });
    const runs = await client.startMany(greet, Array.from({ length: 300 }, () => undefined));
    const live = createLive(store, silent, { ...QUICK, lookMs: 100 });
    const before = store.counters().statements;
    const start = performance.now();
    const lists = Array.from({ length: 300 }, () => watcher(live.open(undefined, undefined)));
    const each = runs.map(({ id }) => watcher(live.open(id, undefined)));
    assertEquals(live.size, 600);
    await until(() => store.counters().statements - before >= 6);
    const statements = store.counters().statements - before;
    // Two for each look, of which there is at most one in 100 ms.
    const looks = Math.ceil((performance.now() - start) / 100) + 2;
    assert(statements <= 2 * looks, `${statements} statements`);
    for (const one of [...lists, ...each]) await one[Symbol.asyncDispose]();
    assertEquals(live.size, 0);
    // A look that was under way may still end.
    await until(async () => {
      const rested = store.counters().statements;
      await pass(300);
      return store.counters().statements === rested;
    });
  });
}

test("a change while a page is rendered is reported to its stream", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  await using client = await createClient(store, { workflows: [greet] });
  const { id } = await client.start(greet);
  const page = await (await ask(client)(`/runs/${id}`)).text();
  await client.get(id).pause();
  const [, href] = /(\/api\/live\?run=[^"']*seen=[a-z0-9]+)/.exec(page.replaceAll("&amp;", "&")) ?? [];
  const answer = await ask(client)(href!);
  assertEquals(answer.headers.get("content-type"), "text/event-stream");
  await using watch = watcher(answer.body!);
  assertEquals(await watch.next(), "changed");
});

test("a page of a run that has ended watches nothing", async () => {
  await using on = ground("sqlite");
  await using runner = await runnerOn(await on.open());
  const { runId } = await runner.execute(etl, { token: "t" });
  assertEquals((await (await ask(runner)(`/runs/${runId}`)).text()).includes("/api/live"), false);
});

test("a browser that reads nothing is sent one event, and is disconnected in the end", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  await using client = await createClient(store, { workflows: [greet] });
  const live = createLive(store, silent, { ...QUICK, beatMs: 50, patienceMs: 400 });
  const stream = live.open(undefined, await live.mark(undefined))!;
  for (let i = 0; i < 20; i++) await client.start(greet);
  await until(() => live.size === 0);
  const reader = stream.getReader();
  const taken: unknown[] = [];
  for (let read = await reader.read(); !read.done; read = await reader.read()) taken.push(read.value);
  assert(taken.length <= 1, `${taken.length} events were kept for it`);
});

test("a quiet stream says now and then that it is alive, and ends with the store", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const live = createLive(store, silent, { ...QUICK, beatMs: 20 });
  await using watch = watcher(live.open(undefined, undefined));
  assertEquals([await watch.chunk(), await watch.chunk()], [":\n\n", ":\n\n"]);
  await store.close();
  assertEquals(await watch.until(undefined), true);
  assertEquals(live.size, 0);
});

test("a browser that goes away is forgotten", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  let live: Live | undefined;
  await using server = await serve(() => {
    live ??= createLive(store, silent, QUICK);
    return new Response(live.open(undefined, undefined), { headers: { "content-type": "text/event-stream" } });
  });
  const end = new AbortController();
  const answer = await fetch(server.url, { signal: end.signal });
  const reader = answer.body!.getReader();
  await reader.read();
  assertEquals(live!.size, 1);
  end.abort();
  await reader.read().catch(() => {});
  await until(() => live!.size === 0);
});

test("many requests for the same at the same time are one", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const { fetch } = createInspector(store, { authorize: () => true });
  const get = (): Promise<Response> => fetch(new Request("http://localhost/api/runs"));
  const one = await statementsOf(store, get);
  const many = await statementsOf(store, () => Promise.all(Array.from({ length: 50 }, get)));
  assertEquals([one > 0, many], [true, one]);
});

async function statementsOf(store: Store, work: () => Promise<unknown>): Promise<number> {
  const before = store.counters().statements;
  await work();
  return store.counters().statements - before;
}

interface Watcher extends AsyncDisposable {
  /** The name of the next event; `undefined` at the end. */
  next(): Promise<string | undefined>;
  /** Whether that event comes. */
  until(name: string | undefined): Promise<boolean>;
  /** The next piece as it came. */
  chunk(): Promise<string | undefined>;
}

function watcher(stream: ReadableStream<Uint8Array> | undefined): Watcher {
  const reader = stream!.getReader();
  const decoder = new TextDecoder();
  return { next, until, chunk, [Symbol.asyncDispose]: () => reader.cancel() };

  async function chunk(): Promise<string | undefined> {
    const { done, value } = await within("an event", reader.read());
    return done ? undefined : decoder.decode(value);
  }

  async function next(): Promise<string | undefined> {
    for (;;) {
      const text = await chunk();
      if (text === undefined) return undefined;
      const [, name] = /^event: (\w+)\ndata: {"at":\d+}\n\n$/.exec(text) ?? [];
      if (name !== undefined) return name;
    }
  }

  async function until(name: string | undefined): Promise<boolean> {
    for (;;) {
      const found = await next();
      if (found === name) return true;
      if (found === undefined) return false;
    }
  }
}

/** Makes the database, so that it can be opened to be read only. */
async function isThere(open: () => Promise<Store>): Promise<boolean> {
  await open();
  return true;
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
