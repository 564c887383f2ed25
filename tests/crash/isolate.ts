/**
 * A runner for the tests of isolates that end before their process does. It prints `open` when it is open, and `began`
 * when its body begins; the body waits for the gate, or blocks the event loop for `busyMs`.
 *
 * @module
 */
import { existsSync, writeSync } from "node:fs";
import process from "node:process";
import { type AnyWorkflow, createRunner, workflow } from "../../mod.ts";
import type { Place } from "../place.ts";

/** The configuration of an isolate. */
export interface IsolateConfig {
  readonly place: Place;
  /** The body returns once this file exists. */
  readonly gate: string;
  /** How long the body blocks the event loop instead, in milliseconds. */
  readonly busyMs?: number;
}

/** The workflow of these tests. */
export function heldWorkflow(run: () => void | Promise<void>): AnyWorkflow {
  return workflow("held").task("wait", { version: "1", run });
}

/** Opens a runner and starts the run unless it exists already; calls `began` when a body begins. */
export async function openIsolate({ place, gate, busyMs }: IsolateConfig, began = () => {}): Promise<void> {
  const held = heldWorkflow(async () => {
    say("began");
    began();
    if (busyMs !== undefined) { for (const end = performance.now() + busyMs; performance.now() < end;); }
    else while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  const runner = await createRunner(place.url, { ...place.options, workflows: [held], lease: "1h" });
  await runner.start(held, undefined, { key: "1" });
  say("open");
  process.once("SIGTERM", () => void runner.stop());
}

/** Prints a line. */
export function say(line: string): void {
  writeSync(1, `${line}\n`);
}
