/** A Worker with a runner; its first message configures it, and it reports that a body began. */
import { parentPort } from "node:worker_threads";
import { openIsolate } from "./isolate.ts";

parentPort!.once("message", (config: string) => {
  void openIsolate(JSON.parse(config), () => parentPort!.postMessage("began"));
});
