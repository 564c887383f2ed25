/** A process with a runner for trees and schedules: `tree_process.ts <url> <schema> [schedules]`. It prints `ready`. */
import { writeSync } from "node:fs";
import process from "node:process";
import { createRunner, type Logger } from "../../mod.ts";
import { tickSchedules, treeWorkflows } from "./tree.ts";

const [url, schema, schedules] = process.argv.slice(2);
// Outages are logged as warnings.
const logger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error: (message, fields) => void writeSync(2, `error: ${message} ${JSON.stringify(fields ?? {})}\n`),
};
const runner = await createRunner(url!, {
  schema: schema!,
  workflows: treeWorkflows,
  schedules: schedules === undefined ? [] : tickSchedules(),
  maxRuns: 5_000,
  logger,
});
process.once("SIGTERM", () => void runner.stop());
writeSync(1, "ready\n");
