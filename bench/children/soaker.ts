/**
 * A runner of the soak, which says once a second what memory it has: `soaker.ts <url> <options as JSON>`. Told to end, it
 * says what it had to complain of.
 */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { soakWork } from "../growth/soak/work.ts";

const [url, options] = process.argv.slice(2) as [string, string];
const complaints: string[] = [];
const runner = await createRunner(url, {
  ...JSON.parse(options),
  workflows: [soakWork()],
  logger: {
    debug() {},
    info() {},
    warn(message, fields) {
      if (/locked/.test(message)) complaints.push(`${message} ${JSON.stringify(fields)}`);
    },
    error: (message, fields) => void complaints.push(`${message} ${JSON.stringify(fields)}`),
  },
});
console.log("ready");
const telling = setInterval(() => console.log(JSON.stringify({ rssMb: process.memoryUsage().rss / 2 ** 20 })), 1_000);
process.once("SIGTERM", async () => {
  clearInterval(telling);
  await runner.stop();
  console.log(JSON.stringify({ complaints }));
});
