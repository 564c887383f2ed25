/** Ends of workers and engines, in any order: what is known afterwards, and who continues. */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { createConnection } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundleWorker } from "../../scripts/worker_bundle.ts";
import type { Transport } from "../../lib/worker/mod.ts";
import { createRunner, workflow } from "../../mod.ts";
import { ended, spawn, spawnExecutable } from "../child.ts";
import { emptyStore } from "../empty_store.ts";
import { skipped, test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { within } from "../within.ts";
import { startEngine } from "./start_engine.ts";
import { connectWorker, type Members, type WorkerFunction } from "./test_worker.ts";
import { ONE } from "./workflows.ts";

/** The engine of a worker runs under Deno. */
const engineTest: typeof test = "Deno" in globalThis ? test : (name) => skipped(name, "the engine is started by Deno");

/** A function whose first call can be awaited, and that returns when it is released. */
function held(): { readonly body: WorkerFunction; readonly called: Promise<Members>; readonly release: () => void } {
  const called = Promise.withResolvers<Members>();
  const released = Promise.withResolvers<string>();
  return {
    async body({ context }) {
      called.resolve(context);
      return await released.promise;
    },
    called: called.promise,
    release: () => released.resolve("released"),
  };
}

engineTest(
  "a worker that closes its side: the engine ends, and another continues the run with the same attempt",
  async () => {
    await using store = emptyStore();
    const { body, called } = held();
    await using first = startEngine();
    const worker = await connectWorker(first.transport, { body });
    await worker.call("open", { url: store.url, options: store.options, workflows: [ONE] });
    const { runId } = await worker.call("start", { workflow: "one" });
    await called;
    worker.close();
    assertEquals(await within("the end of the engine", first.ended), 0);
    assertEquals(await continued(store, runId), { runId, attempt: 1, result: "continued" });
  },
);

engineTest("a worker that is killed takes its engine with it, and another continues the run", async () => {
  await using store = emptyStore();
  await using parent = spawn("worker/parent_process.ts", [JSON.stringify({ url: store.url, options: store.options })]);
  const pid = Number((await parent.until("engine ")).split(" ")[1]);
  const runId = (await parent.until("run ")).split(" ")[1];
  parent.kill("SIGKILL");
  await ended(parent);
  await within("the end of the engine", gone(pid));
  assertEquals(await continued(store, runId), { runId, attempt: 1, result: "continued" });
});

engineTest("an engine that is killed: the worker is told by its end, and another continues the run", async () => {
  await using store = emptyStore();
  const { body, called } = held();
  const engine = startEngine();
  {
    await using first = engine;
    const worker = await connectWorker(first.transport, { body });
    await worker.call("open", { url: store.url, options: store.options, workflows: [ONE] });
    const { runId } = await worker.call("start", { workflow: "one" });
    await called;
    first.kill();
    await within("the end of the connection", worker.ended);
    assertEquals(await continued(store, runId), { runId, attempt: 1, result: "continued" });
  }
});

engineTest("a shutdown lets bodies finish within its timeout", async () => {
  await using store = emptyStore();
  const { body, called, release } = held();
  await using engine = startEngine();
  const worker = await connectWorker(engine.transport, { body });
  await worker.call("open", { url: store.url, options: store.options, workflows: [ONE] });
  const { runId } = await worker.call("start", { workflow: "one" });
  await called;
  const stopping = worker.call("shutdown", { timeout: "60s" });
  release();
  assertEquals(await within("the shutdown", stopping), {});
  assertEquals(await within("the end of the engine", engine.ended), 0);
  await using runner = await createRunner(store.url, { ...store.options, workflows: [] });
  assertEquals(await runner.get(String(runId)).result(), "released");
});

engineTest("two workers and a TypeScript runner share a store, each with its own workflows", async () => {
  await using store = emptyStore();
  await using a = startEngine();
  await using b = startEngine();
  const workers = await Promise.all(
    [a, b].map(({ transport }, at) =>
      connectWorker(transport, { body: ({ args }) => `worker ${at}: ${args["input"]}` })
    ),
  );
  for (const [at, worker] of workers.entries()) {
    await worker.call("open", { url: store.url, options: store.options, workflows: [{ ...ONE, name: `of ${at}` }] });
  }
  const own = workflow("of 2").task("only", { run: () => "runner" }).returns("only");
  await using runner = await createRunner(store.url, { ...store.options, workflows: [own] });
  const outcomes = await within(
    "the outcomes",
    Promise.all([
      ...workers.map((worker, at) => worker.call("execute", { workflow: `of ${at}`, input: at })),
      runner.execute(own),
    ]),
  );
  assertEquals(outcomes.map((outcome) => (outcome as Members)["result"]), ["worker 0: 0", "worker 1: 1", "runner"]);
  const { runs } = await workers[0]!.call("list");
  assertEquals((runs as readonly Members[]).map((run) => run["workflow"]).sort(), ["of 0", "of 1", "of 2"]);
});

engineTest("a Unix socket serves workers apart from each other, until SIGTERM", async () => {
  await using store = emptyStore();
  using folder = tempDir();
  const path = join(folder.path, "engine.sock");
  const entry = fileURLToPath(new URL("../../lib/worker/mod.ts", import.meta.url));
  await using engine = spawnExecutable(["run", "-A", "--no-check", "--quiet", entry, "--socket", path]);
  const good = await connectWorker(await connect(path), { body: () => "good" });
  const bad = await connectWorker(await connect(path));
  await good.call("open", { url: store.url, options: store.options, workflows: [ONE] });
  await bad.send("nonsense");
  await within("the end of the bad worker", bad.ended);
  assertEquals((await good.call("execute", { workflow: "one" }))["result"], "good");
  engine.kill("SIGTERM");
  assertEquals((await ended(engine)).code, 0);
});

engineTest("the bundle needs no packages: it opens the store and executes runs", async () => {
  await using store = emptyStore();
  using folder = tempDir();
  const file = join(folder.path, "engine.js");
  bundleWorker(file);
  await using engine = startEngine(file, ["--no-config", "--no-npm", "--no-remote"]);
  const worker = await connectWorker(engine.transport, { body: () => "bundled" });
  // The parser of cron expressions is part of it, too.
  const nightly = { name: "nightly", workflow: "one", cron: "0 2 * * *" };
  await worker.call("open", { url: store.url, options: store.options, workflows: [ONE], schedules: [nightly] });
  assertEquals((await worker.call("execute", { workflow: "one" }))["result"], "bundled");
});

/** Opens a worker whose body returns, and waits for the end of a run. */
async function continued(store: { readonly url: string; readonly options: object }, runId: unknown): Promise<Members> {
  await using engine = startEngine();
  const contexts: Members[] = [];
  const worker = await connectWorker(engine.transport, {
    body({ context }) {
      contexts.push(context);
      return "continued";
    },
  });
  await worker.call("open", { url: store.url, options: store.options, workflows: [ONE] });
  const outcome = await within("the outcome", worker.call("outcome", { runId }));
  const [context] = contexts;
  return { runId: context?.["runId"], attempt: context?.["attempt"], result: outcome["result"] };
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Connects to a socket as soon as there is one. */
async function connect(path: string): Promise<Transport> {
  for (;;) {
    const socket = createConnection(path);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    if (!isOpen) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      continue;
    }
    const chunks: AsyncIterator<Uint8Array> = socket[Symbol.asyncIterator]();
    return {
      async read() {
        const { value, done } = await chunks.next();
        return done === true ? undefined : value;
      },
      write: (bytes) => new Promise((resolve) => socket.write(bytes, () => resolve())),
      close: () => socket.end(),
    };
  }
}
