/**
 * A process with a runner that executes orders (order.ts). It prints:
 *
 * - `ready`, when its runner is open;
 * - `lost` and `back`, when its SQLite file is not in its place, and is there again;
 * - `re-registered`, when its lease expired and it continues under another id.
 *
 * @module
 */
import { appendFileSync, writeSync } from "node:fs";
import process from "node:process";
import { createRunner, type Logger, schedule } from "../../mod.ts";
import type { Place } from "../place.ts";
import { orderWorkflows } from "./order.ts";

/** The configuration of the process. */
export interface OrderProcess {
  readonly place: Place;
  readonly log: string;
  /** How long bodies take. */
  readonly ms: number;
  readonly lease: string;
  /** How often a schedule starts an order; every third of them fails. @default {undefined} never */
  readonly everyMs?: number;
}

const { place, log, ms, lease, everyMs }: OrderProcess = JSON.parse(process.argv[2]!);
const { order, part } = orderWorkflows(log, ms);
const logger: Logger = {
  debug() {},
  info() {},
  warn(message) {
    if (message.includes("back at its path")) say("back");
    if (message.includes("re-registered")) say("re-registered");
  },
  error(message, fields) {
    if (message.startsWith("Cannot use SQLite database")) lost();
    writeSync(2, `error: ${message} ${JSON.stringify(fields ?? {})}\n`);
  },
};
const schedules = everyMs === undefined ? [] : [schedule({
  name: "orders",
  workflow: order,
  every: everyMs,
  catchUp: "all",
  maxCatchUp: 1_000,
  overlap: "allow",
  input: ({ tick }: { readonly tick: number }) => ({
    items: 3,
    fails: (tick / everyMs) % 3 === 0,
  }),
})];
const runner = await createRunner(place.url, {
  ...place.options,
  workflows: [order, part],
  schedules,
  logger,
  lease: lease as "1s",
});
process.once("SIGTERM", () => {
  // What it cannot hand back, as its file is lost, it says as an error.
  void runner.stop({ timeout: "10s" }).catch((error) => say(`cannot stop: ${error.code}`));
});
say("ready");

function lost(): void {
  appendFileSync(log, `lost - - 0 ${process.pid}\n`);
  say("lost");
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}
