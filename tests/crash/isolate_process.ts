/**
 * A process with one runner in a Worker, which executes the run, and another in its main isolate. If the second
 * argument is `terminate`, it terminates the Worker once the body has begun.
 *
 * @module
 */
import process from "node:process";
import { Worker } from "node:worker_threads";
import { type IsolateConfig, openIsolate, say } from "./isolate.ts";

const config: IsolateConfig = JSON.parse(process.argv[2]!);
const worker = new Worker(new URL("./isolate_thread.ts", import.meta.url));
const began = new Promise((resolve) => worker.once("message", resolve));
worker.postMessage(JSON.stringify(config));
await began;
const { busyMs: _, ...patient } = config;
await openIsolate(patient);
if (process.argv[3] === "terminate") {
  await worker.terminate();
  say("terminated");
}
