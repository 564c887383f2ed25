/** One `test()` for `deno test` (with its leak sanitizers) and `bun test`. */
import { test as nodeTest } from "node:test";
import { type Random, withSeed } from "./random.ts";

/** Only a hang reaches it; `bun test FILE` by itself gives a test five seconds, which a busy machine needs for many. */
const LONGEST_MS = 5 * 60_000;

/** Registers a test case. */
export const test: (name: string, fn: () => Promise<void> | void) => void = "Deno" in globalThis
  ? Deno.test
  : (name, fn) => void nodeTest(name, { timeout: LONGEST_MS }, fn);

/** Registers a test case that depends on random numbers: its error names the seed, `SLUICE_TEST_SEED` repeats it. */
export function randomTest(name: string, body: (random: Random) => Promise<void> | void): void {
  test(name, () => withSeed(body));
}

/** Registers a test case that cannot be run here, so that it is counted as ignored; its name has the reason. */
export function skipped(name: string, reason: string): void {
  const title = `${name} [skipped: ${reason}]`;
  if ("Deno" in globalThis) Deno.test({ name: title, ignore: true, fn() {} });
  else nodeTest.skip(title, () => {});
}

/** Registers a test case about what the compiler says, which takes long and is the same in each runtime, under Deno. */
export function compilerTest(name: string, body: () => Promise<void> | void): void {
  if ("Deno" in globalThis) test(name, body);
  else skipped(name, "the compiler is asked under Deno");
}
