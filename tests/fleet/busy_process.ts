/** A runner that executes its own runs: `busy_process.ts <url> <schema> <runs per second> <seconds>`. */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { work } from "./work.ts";

const [url, schema, perSecond, seconds] = process.argv.slice(2) as [string, string, string, string];
await using runner = await createRunner(url, {
  ...(schema === "" ? {} : { schema }),
  workflows: [work(() => Promise.resolve())],
});
console.log("ready");
const count = Number(perSecond) * Number(seconds);
const began = performance.now();
for (let n = 0; n < count; n++) {
  const early = began + n * 1_000 / Number(perSecond) - performance.now();
  if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
  await runner.execute("work", n);
}
console.log(`executed ${count}`);
