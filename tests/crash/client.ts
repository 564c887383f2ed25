/**
 * A process for the crash tests that starts runs and executes none: `client.ts <place> 200` starts 200 runs within
 * about two seconds and prints `durable` and the id of each.
 *
 * @module
 */
import process from "node:process";
import { createClient } from "../../mod.ts";
import type { Place } from "../place.ts";
import { crashWorkflows, nowhere } from "./workflows.ts";

const NAMES = ["chain", "diamond", "flaky", "stepwise", "failing"];

const [json, count] = process.argv.slice(2);
const { url, options }: Place = JSON.parse(json!);
await using client = await createClient(url, { ...options, workflows: Object.values(crashWorkflows(nowhere)) });
for (let n = 0; n < Number(count); n += NAMES.length) {
  const runs = await Promise.all(NAMES.map((name) => client.start(name, { n })));
  for (const { id } of runs) console.log(`durable ${id}`);
  await new Promise((resolve) => setTimeout(resolve, 2_000 / (Number(count) / NAMES.length)));
}
