/**
 * A runner that says, told to end, what it has done: `drainer.ts <url> <options as JSON> <milliseconds that a body takes>`.
 */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { chainOf } from "../workloads.ts";

const [url, options, bodyMs] = process.argv.slice(2) as [string, string, string];
let bodies = 0;
const warnings: string[] = [];
const errors: string[] = [];

const runner = await createRunner(url, {
  ...JSON.parse(options),
  workflows: [chainOf(3, work)],
  logger: {
    debug() {},
    info() {},
    warn: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
    error: (message, fields) => void errors.push(`${message} ${JSON.stringify(fields)}`),
  },
});
const before = (await runner.stats()).store;
process.once("SIGTERM", async () => {
  const after = (await runner.stats()).store;
  await runner.stop();
  const commits = after.commits - before.commits;
  const statements = after.statements - before.statements;
  console.log(JSON.stringify({ bodies, commits, statements, retries: after.retries, warnings, errors }));
});
console.log("ready");

async function work(payload: string): Promise<string> {
  bodies++;
  if (Number(bodyMs) > 0) await new Promise((resolve) => setTimeout(resolve, Number(bodyMs)));
  return payload;
}
