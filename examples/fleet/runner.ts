/**
 * One runner process of the fleet, started by `crew.ts`. It regularly reports its work on standard output as a line of
 * JSON, and stops when its standard input ends, because the fleet has finished or died.
 */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import type { Orders, Report } from "./crew.ts";
import { surveyBy } from "./survey.ts";

const REPORT_MS = 50;

const { name, url, schema }: Orders = JSON.parse(process.env["FLEET_MEMBER"]!);
const done = { runs: 0, tasks: 0, recovered: 0 };

const runner = await createRunner(url, {
  workflows: [surveyBy(name)],
  // A low limit, so that the runners share the work: with the default one process would claim all runs.
  concurrency: 8,
  maxRuns: 16,
  ...(schema === undefined ? {} : { schema }),
  onEvent({ type }) {
    if (type === "run.completed") done.runs++;
    if (type === "task.completed") done.tasks++;
    if (type === "run.recovered") done.recovered++;
  },
});
const timer = setInterval(report, REPORT_MS);
report();

process.stdin.resume().once("end", async () => {
  clearInterval(timer);
  await runner.stop();
  report();
  process.stdin.destroy();
});

function report(): void {
  console.log(JSON.stringify(done satisfies Report));
}
