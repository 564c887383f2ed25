/** A worker whose only body never ends: prints the id of the engine's process, and then of the run once its body runs. */
import process from "node:process";
import { startEngine } from "./start_engine.ts";
import { connectWorker } from "./test_worker.ts";
import { ONE } from "./workflows.ts";

const place = JSON.parse(process.argv[2]!);
const engine = startEngine();
process.stdout.write(`engine ${engine.pid}\n`);
const worker = await connectWorker(engine.transport, {
  body({ context }) {
    process.stdout.write(`run ${context["runId"]}\n`);
    return new Promise(() => {});
  },
});
await worker.call("open", { ...place, workflows: [ONE] });
await worker.call("start", { workflow: "one" });
await worker.ended;
