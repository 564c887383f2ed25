/** Executes the chains that others start in the file it is given, and prints when each first body began. */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { flag } from "../measure.ts";
import { chain } from "../workloads.ts";

await createRunner(`sqlite://${process.argv[2]}`, {
  workflows: [chain(flag("k", 3))],
  durability: "process",
  onEvent(event) {
    if (event.type === "task.started" && event.taskId === "t0") console.log(performance.timeOrigin + performance.now());
  },
});
console.log("ready");
