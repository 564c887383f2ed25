/** A `test()` that works with `deno test` (including its leak sanitizers) and `bun test`. */
import { test as nodeTest } from "node:test";
import { type Random, withSeed } from "./random.ts";

/** A limit that only hangs exceed; the default of `bun test` is five seconds, which is too short on a busy machine. */
const LONGEST_MS = 5 * 60_000;

/** Registers a test case. */
export const test: (name: string, fn: () => Promise<void> | void) => void = "Deno" in globalThis
  ? Deno.test
  : (name, fn) => void nodeTest(name, { timeout: LONGEST_MS }, fn);

/** Registers a test case with random numbers: its error contains the seed, and `SLUICE_TEST_SEED` repeats it. */
export function randomTest(name: string, body: (random: Random) => Promise<void> | void): void {
  test(name, () => withSeed(body));
}

/** Registers a test case that cannot run here, so that it is counted as ignored; its name contains the reason. */
export function skipped(name: string, reason: string): void {
  const title = `${name} [skipped: ${reason}]`;
  if ("Deno" in globalThis) Deno.test({ name: title, ignore: true, fn() {} });
  else nodeTest.skip(title, () => {});
}

/** Registers a test of compiler errors, which is slow and the same in each runtime, under Deno only. */
export function compilerTest(name: string, body: () => Promise<void> | void): void {
  if ("Deno" in globalThis) test(name, body);
  else skipped(name, "the compiler is asked under Deno");
}
