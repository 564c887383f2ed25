/** A runner of a fleet: `process.ts <url> <schema> <maxRuns> <concurrency>`. On SIGTERM it prints what it has done. */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { work } from "./work.ts";

const [url, schema, maxRuns, concurrency] = process.argv.slice(2) as [string, string, string, string];
const begun: number[] = [];
let active = 0;
let most = 0;

const flow = work(async (input) => {
  begun.push(input);
  most = Math.max(most, ++active);
  // Long enough that this delay, and not the shared machine, limits the throughput of the processes.
  await new Promise((resolve) => setTimeout(resolve, 20));
  active--;
});
const runner = await createRunner(url, {
  schema,
  workflows: [flow],
  maxRuns: Number(maxRuns),
  concurrency: Number(concurrency),
});
process.once("SIGTERM", async () => {
  await runner.stop();
  console.log(JSON.stringify({ begun, most }));
});
console.log("ready");
