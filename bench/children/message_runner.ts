/** Executes runs that wait for a message, and prints when each task after the message began. */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { epochMs } from "../measure.ts";
import { waiting } from "../workloads.ts";

const [url, options] = process.argv.slice(2) as [string, string];

await createRunner(url, { ...JSON.parse(options), workflows: [waiting(() => console.log(epochMs()))] });
console.log("ready");
