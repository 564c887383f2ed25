import { setTimeout as pause } from "node:timers/promises";
import { unchecked, workflow } from "../../mod.ts";

/** A range of numbers to examine. */
export interface Range {
  readonly from: number;
  readonly to: number;
  /** How long it takes to "fetch" it, in milliseconds. */
  readonly waitMs: number;
}

/**
 * The pipeline: the first task waits, as for a remote service, then two tasks compute at once, and the last one joins
 * their results. The result of each task contains the runner that executed it.
 */
// deno-lint-ignore explicit-module-boundary-types -- the type is long and inferred; only its program imports this
export function surveyBy(runner: string) {
  return workflow("survey", { input: unchecked<Range>() })
    .task("fetch", {
      async run({ input, ctx }) {
        await pause(input.waitMs, undefined, { signal: ctx.signal });
        return { by: runner };
      },
    })
    .task("primes", {
      after: ["fetch"],
      run: ({ input }) => ({ by: runner, found: count(input, isPrime) }),
    })
    .task("twins", {
      after: ["fetch"],
      run: ({ input }) => ({ by: runner, found: count(input, (n) => isPrime(n) && isPrime(n + 2)) }),
    })
    .task("report", {
      after: ["fetch", "primes", "twins"],
      run: ({ fetch, primes, twins }) => ({
        primes: primes.found,
        twins: twins.found,
        by: [fetch.by, primes.by, twins.by, runner],
      }),
    })
    .returns("report");
}

function count({ from, to }: Range, isWanted: (n: number) => boolean): number {
  let found = 0;
  for (let n = from; n < to; n++) if (isWanted(n)) found++;
  return found;
}

function isPrime(n: number): boolean {
  if (n < 4) return n > 1;
  if (n % 2 === 0) return false;
  for (let divisor = 3; divisor * divisor <= n; divisor += 2) if (n % divisor === 0) return false;
  return true;
}
