/** Executes chains that other processes start in the given store, and prints when each first body began. */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { flag } from "../measure.ts";
import { chain } from "../workloads.ts";

const [url, options] = process.argv.slice(2) as [string, string];

await createRunner(url, {
  ...JSON.parse(options),
  workflows: [chain(flag("k", 3))],
  onEvent(event) {
    if (event.type === "task.started" && event.taskId === "t0") console.log(performance.timeOrigin + performance.now());
  },
});
console.log("ready");
