/**
 * Random numbers for tests. The error of a failed random test contains its seed, and `SLUICE_TEST_SEED=<seed>` runs
 * random tests with that seed. The timing of real processes and servers between two random moments is not repeated.
 */
import process from "node:process";

/** Random numbers that are determined by a seed. */
export interface Random {
  /** Returns a number of at least 0 and below 1. */
  next(): number;
  /** Returns an integer of at least 0 and below a limit. */
  below(limit: number): number;
  /** Returns true with this probability. */
  chance(probability: number): boolean;
  /** Returns one element of a list, which must not be empty. */
  pick<T>(list: readonly T[]): T;
  /** Returns the elements of a list in random order. */
  shuffled<T>(list: readonly T[]): T[];
}

/** Mulberry32: the same numbers for the same seed on every machine. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)]!,
    shuffled: (list) => list.map((one) => ({ one, at: next() })).sort((a, b) => a.at - b.at).map(({ one }) => one),
  };

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

const given = process.env["SLUICE_TEST_SEED"];

/** The seed of the current random test, and how many processes it has started. */
let current: { readonly seed: number; children: number } | undefined;

/** Runs the body of a random test; the error of a failed one contains its seed. */
export async function withSeed(body: (random: Random) => Promise<void> | void): Promise<void> {
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  current = { seed, children: 0 };
  try {
    await body(randomOf(seed));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\nSLUICE_TEST_SEED=${seed} repeats this test with the same random numbers`, {
      cause: error,
    });
  } finally {
    current = undefined;
  }
}

/** Returns the environment of a process that a random test starts: a seed that is derived from that of the test. */
export function seededEnvironment(): Readonly<Record<string, string>> {
  return current === undefined ? {} : { SLUICE_TEST_SEED: String((current.seed + ++current.children) >>> 0) };
}

/** Returns the random numbers of a process that a test has started. */
export function randomOfProcess(): Random {
  return randomOf(Number(given ?? process.pid));
}

/** Returns consecutive seeds for a test of many random cases; `SLUICE_TEST_SEED` replaces them by one. */
export function seedsFrom(first: number, count: number): readonly number[] {
  return given === undefined ? Array.from({ length: count }, (_, at) => first + at) : [Number(given)];
}
