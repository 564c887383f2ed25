/** Workers that read slowly, send much, send nonsense, or fall silent. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createChannel } from "../../lib/worker/channel.ts";
import { createLines } from "../../lib/worker/lines.ts";
import { serveWorker, type Transport } from "../../lib/worker/mod.ts";
import { createObservedEvents } from "../../lib/worker/streams.ts";
import { type EmptyStore, emptyStore } from "../empty_store.ts";
import { randomTest, test } from "../harness.ts";
import type { Random } from "../random.ts";
import { until, within } from "../within.ts";
import { memoryTransports } from "./memory_transport.ts";
import { connectWorker, EngineError, type Members, type TestWorker, type WorkerFunction } from "./test_worker.ts";
import { ONE } from "./workflows.ts";

/** A worker with an engine in this process, which is closed at the end of the scope. */
async function connected(
  functions: Readonly<Record<string, WorkerFunction>> = {},
): Promise<TestWorker & AsyncDisposable> {
  const { engine, worker: end } = memoryTransports();
  const served = serveWorker(engine);
  const worker = await connectWorker(end, functions);
  return {
    ...worker,
    async [Symbol.asyncDispose]() {
      worker.close();
      await served;
    },
  };
}

function open(
  worker: TestWorker,
  { url, options }: EmptyStore,
  workflows: readonly Members[] = [ONE],
): Promise<Members> {
  return worker.call("open", { url, options, workflows });
}

test("a worker that does not read is not read either, and then receives everything", async () => {
  const requests = Array.from({ length: 60 }, (_, at) => `{"id":${at + 1},"method":"status"}\n`);
  const released = Promise.withResolvers<void>();
  let read = 0;
  let written = 0;
  const channel = createChannel({
    read: () => Promise.resolve(read < requests.length ? new TextEncoder().encode(requests[read++]) : undefined),
    async write(bytes) {
      await released.promise;
      written += bytes.length;
    },
    close() {},
  });
  const answer = "x".repeat(1024 * 1024);
  const running = channel.run({ request: ({ id }) => channel.respond(id, answer), notification() {} });
  // Time enough to read all of them, if nothing prevented it.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve));
  assertEquals(read, 16, "16 answers are more than 16 MiB, as each is a little longer than a MiB");
  released.resolve();
  await within("the end", running);
  await channel.flush();
  assertEquals(read, 60);
  assert(written > 60 * answer.length);
});

test("messages of a megabyte pass in one piece; what a store refuses as too large has a code", async () => {
  await using store = emptyStore("memory");
  await using worker = await connected({ body: ({ args }) => args["input"] });
  await open(worker, store);
  const input = "ä€😀".repeat(100_000);
  assertEquals((await worker.call("execute", { workflow: "one", input }))["result"], input);
  const error = await assertRejects(
    () => worker.call("execute", { workflow: "one", input: "x".repeat(1_100_000) }),
    EngineError,
  );
  assertEquals(error.record["code"], "payload_too_large");
});

test("lines are found however their bytes arrive, and a line that is too long or not UTF-8 is refused", () => {
  const bytes = new TextEncoder().encode('{"a":"ä"}\n\n{"b":1}\r\nrest');
  for (let size = 1; size <= bytes.length; size++) {
    const lines = createLines();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...lines.add(bytes.slice(at, at + size)));
    assertEquals(found, ['{"a":"ä"}', '{"b":1}']);
  }
  const short = createLines(10);
  assertEquals(short.add(new TextEncoder().encode("123456789\n")), ["123456789"]);
  short.add(new TextEncoder().encode("12345"));
  assertThrows(() => short.add(new TextEncoder().encode("67890")), Error, "longer than 10 bytes");
  assertThrows(() => createLines().add(new Uint8Array([0xff, 10])), Error, "not UTF-8");
});

test("events that the worker does not pull are left out, and counted", async () => {
  const observed = createObservedEvents(3);
  for (let at = 0; at < 8; at++) observed.add(at);
  assertEquals(await observed.next(2), { events: [3, 4], missed: 3 });
  assertEquals(await observed.next(10), { events: [5, 6, 7], missed: 0 });
  const waiting = observed.next(10);
  observed.add(8);
  assertEquals(await waiting, { events: [8], missed: 0 });
  const last = observed.next(10);
  observed.close();
  assertEquals(await last, { events: [], missed: 0 });
});

test("the connection of a worker that answers no ping is closed", async () => {
  const { engine, worker } = memoryTransports();
  const served = serveWorker(engine);
  const send = (message: Members): Promise<void> =>
    worker.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  await send({ id: 1, method: "hello", params: { protocol: 1, heartbeat: 100 } });
  assertEquals(await within("the end", served), "closed");
  worker.close();
});

test("a worker that answers each ping stays connected", async () => {
  const { engine, worker: end } = memoryTransports();
  const served = serveWorker(engine);
  const worker = await connectWorker(end, {}, { protocol: 1, heartbeat: 100 });
  await until(() => worker.notifications.filter(({ method }) => method === "ping").length > 5, "pings");
  assertEquals(await worker.call("ping"), {});
  worker.close();
  assertEquals(await served, "closed");
});

randomTest(
  "whatever a worker sends, the engine answers each request once, or ends with one fatal error",
  async (random) => {
    await using store = emptyStore("memory");
    // To open a schema takes longer.
    const rounds = store.url.startsWith("postgres") ? 5 : 60;
    for (let round = 0; round < rounds; round++) await converseAtRandom(random, store);
  },
);

const METHODS = [
  ...[
    "ping",
    "open",
    "close",
    "start",
    "execute",
    "outcome",
    "status",
    "list",
    "send",
    "step",
    "startRun",
    "events.open",
  ],
  ...["events.next", "observe.next", "schedules.list", "stats", "tagMany", "startMany", "resolve", "fork", "nonsense"],
];
const NAMES = [
  "runner",
  "runId",
  "workflow",
  "input",
  "options",
  "of",
  "name",
  "stream",
  "max",
  "filter",
  "url",
  "taskId",
];

async function converseAtRandom(random: Random, { url, options }: EmptyStore): Promise<void> {
  const { engine, worker } = memoryTransports();
  const served = serveWorker(engine);
  const sent = new Set<number>();
  const answered: number[] = [];
  let fatal = 0;
  const reading = readAll(worker, (message) => {
    if (message["method"] === "fatal") fatal++;
    else if (message["method"] === undefined) answered.push(Number(message["id"]));
  });
  const send = async (text: string): Promise<void> => {
    // The engine may have ended.
    await worker.write(new TextEncoder().encode(`${text}\n`)).catch(() => {});
  };
  await send(JSON.stringify({ id: 1, method: "hello", params: { protocol: 1 } }));
  sent.add(1);
  await send(JSON.stringify({ id: 2, method: "open", params: { url, options, log: "none", workflows: [ONE] } }));
  sent.add(2);
  for (let id = 3; id < 20; id++) {
    const message: Record<string, unknown> = { id, method: random.pick(METHODS), params: valueOf(random, 0, true) };
    if (message["method"] === "open") message["params"] = { url: valueOf(random, 2), workflows: valueOf(random, 0) };
    const text = JSON.stringify(message);
    // What is cut may still be a message.
    sent.add(id);
    if (random.chance(0.03)) {
      await send(text.slice(0, random.below(text.length)) + random.pick(["", "}", "\u0000", "]"]));
    } else await send(text);
  }
  worker.close();
  const end = await within("the end of a connection", served);
  await reading;
  assertEquals(new Set(answered).size, answered.length, "a request was answered twice");
  assertEquals(answered.filter((id) => !sent.has(id)), []);
  assertEquals(fatal, end === "failed" ? 1 : 0);
}

/** A value that may be anything; `isParams` for an object. */
function valueOf(random: Random, depth: number, isParams = false): unknown {
  if (isParams || (depth < 3 && random.chance(0.3))) {
    const names = Array.from({ length: random.below(4) }, () => random.pick(NAMES));
    return Object.fromEntries(names.map((name) => [name, valueOf(random, depth + 1)]));
  }
  if (depth < 3 && random.chance(0.2)) return Array.from({ length: random.below(3) }, () => valueOf(random, depth + 1));
  return random.pick<unknown>([
    null,
    true,
    0,
    1,
    -1,
    2 ** 53,
    1.5,
    "",
    "one",
    "only",
    "1h",
    "\u0000",
    "__proto__",
    {},
    [],
  ]);
}

async function readAll(transport: Transport, receive: (message: Members) => void): Promise<void> {
  const lines = createLines();
  for (;;) {
    const bytes = await transport.read();
    if (bytes === undefined) return;
    for (const line of lines.add(bytes)) receive(JSON.parse(line));
  }
}
