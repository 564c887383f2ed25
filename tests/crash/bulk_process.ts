/**
 * A process that changes many runs, and blocks after some batches, so that the test can kill it there at the latest.
 */
import process from "node:process";
import { createClient } from "../../mod.ts";
import type { Place } from "../place.ts";

const [place = "", operation = "", tag = ""] = process.argv.slice(2);
const { url, options }: Place = JSON.parse(place);
const client = await createClient(url, options);
const more = {
  onProgress({ done, total }: { readonly done: number; readonly total: number }): void {
    console.log(`done ${done} of ${total}`);
    // Blocks this process.
    if (done > total / 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
};
const filter = { tags: [tag] };
switch (operation) {
  case "cancelMany":
  case "pauseMany":
  case "resumeMany":
  case "retryMany":
  case "deleteMany":
    await client[operation](filter, more);
    break;
  case "tagMany":
    await client.tagMany(filter, ["more"], more);
}
