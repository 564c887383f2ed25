/** A process that executes the workflow with every kind of task, and kills itself after a number of durable writes. */
import { writeSync } from "node:fs";
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { openAt, type Place } from "../transactions/place.ts";
import { dyingStore, everyKind } from "./every_kind.ts";

/** The configuration of the process. */
export interface Config {
  readonly place: Place;
  readonly log: string;
  /** The number of writes after which it kills itself. */
  readonly writes: number;
}

const { place, log, writes }: Config = JSON.parse(process.argv[2]!);
const store = dyingStore(await openAt(place), writes, die);
const flow = everyKind(place.kind, log);
const runner = await createRunner(store, { workflows: [flow], logger: false, recoveryLimit: 100 });
const run = await runner.start("every", { n: 5 }, { key: "one" });
await run.send("approval", 2);
await run.outcome();
// The run had fewer writes.
writeSync(1, "ended\n");
await runner.stop();
await store.close();

function die(): never {
  process.kill(process.pid, "SIGKILL");
  // The signal is delivered a little later; nothing else may run until then.
  for (;;);
}
