/**
 * Isolates that end before their process does. The lease is one hour, so that no takeover can be caused by its expiry.
 */
import { assertEquals } from "@std/assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createClient } from "../../mod.ts";
import { type Child, spawn, spawnWatched } from "../child.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { within } from "../within.ts";
import { heldWorkflow, type IsolateConfig } from "./isolate.ts";

test("an isolate that --watch restarts takes over the runs of the previous isolate of its process", async () => {
  using dir = tempDir();
  await using store = emptyStore();
  const config = { place: { url: store.url, options: store.options }, gate: join(dir.path, "gate") };
  const script = join(dir.path, "main.ts");
  const isolate = pathToFileURL(fileURLToPath(new URL("./isolate.ts", import.meta.url)));
  const write = (comment: string): void =>
    writeFileSync(
      script,
      `import { openIsolate } from "${isolate}";\nawait openIsolate(${JSON.stringify(config)}); // ${comment}\n`,
    );
  write("first");
  await using child = spawnWatched(script);
  await within("the first isolate", child.until("began"));
  const takenOver = child.until("began");
  // Changes are repeated, because the runtime misses those made before it watches the file.
  const timer = setInterval(() => write(crypto.randomUUID()), 3_000);
  write("second");
  await within("to take over", takenOver).finally(() => clearInterval(timer));
  writeFileSync(config.gate, "");
  assertEquals(await end(config), ["completed", 1]);
});

test("the runs of a terminated Worker are taken over by another isolate of its process", async () => {
  using dir = tempDir();
  await using store = emptyStore();
  const config = { place: { url: store.url, options: store.options }, gate: join(dir.path, "gate") };
  await using child = spawn("./crash/isolate_process.ts", [JSON.stringify(config), "terminate"]);
  await within("the Worker", child.until("began"));
  await child.until("terminated");
  await within("to take over", child.until("began"));
  writeFileSync(config.gate, "");
  assertEquals(await end(config), ["completed", 1]);
});

test("a Worker that blocks its event loop keeps its runs", async () => {
  using dir = tempDir();
  await using store = emptyStore();
  const config = { place: { url: store.url, options: store.options }, gate: join(dir.path, "gate"), busyMs: 3_000 };
  await using child = spawn("./crash/isolate_process.ts", [JSON.stringify(config)]);
  assertEquals(await end(config), ["completed", 0]);
  await stop(child);
  assertEquals((await child.exited).stdout.match(/began/g)?.length, 1);
});

/** Returns the outcome of the run, and how many runners died with it. */
async function end({ place }: IsolateConfig): Promise<unknown> {
  const held = heldWorkflow(() => {});
  await using client = await createClient(place.url, { ...place.options, workflows: [held] });
  const run = await client.start(held, undefined, { key: "1" });
  const { status } = await within("the run", run.outcome());
  return [status, (await run.status()).crashes];
}

async function stop(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}
