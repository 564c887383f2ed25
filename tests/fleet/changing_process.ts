/** Makes one change from another process: `changing_process.ts <url> start|execute|cancel|pause|resume [<run id>]`. */
import process from "node:process";
import { createClient, createRunner } from "../../mod.ts";
import { work } from "./work.ts";

const [url, change, id = ""] = process.argv.slice(2) as [string, string, string?];
const workflows = [work(() => Promise.resolve())];
if (change === "execute") {
  await using runner = await createRunner(url, { workflows });
  await runner.execute("work", 1);
} else {
  await using client = await createClient(url, { workflows });
  if (change === "start") await client.start("work", 1);
  // The owner acknowledges the request with its next write, for which this process does not wait.
  else if (change === "cancel") void client.get(id).cancel();
  else if (change === "pause") void client.get(id).pause();
  else if (change === "resume") void client.get(id).resume();
  else throw new Error(`unknown change "${change}"`);
}
console.log("done");
