/**
 * A process with a runner that executes orders (order.ts). It prints:
 *
 * - `ready`, when its runner is open;
 * - `lost`, when its SQLite file is no longer at its path, and `back`, when it is there again;
 * - `re-registered`, when its lease expired and it continues under a new id.
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
  /** How long bodies take, in milliseconds. */
  readonly ms: number;
  readonly lease: string;
  /** The interval at which a schedule starts an order; every third order fails. @default {undefined} never */
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
  // stop() rejects if runs cannot be handed back because the file is lost.
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
