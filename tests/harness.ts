/** One `test()` for `deno test` (with its leak sanitizers) and `bun test`. */
import { test as nodeTest } from "node:test";

/** Registers a test case. */
export const test: (name: string, fn: () => Promise<void> | void) => void = "Deno" in globalThis ? Deno.test : nodeTest;
