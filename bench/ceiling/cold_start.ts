/**
 * How long a program takes from its start to its first result, `sqlite::memory:`, next to one that only prints a line.
 *
 * `deno run -A bench/ceiling/cold_start.ts` or `bun bench/ceiling/cold_start.ts`; `--rounds=15`.
 *
 * @module
 */
import { spawn } from "../../tests/child.ts";
import { flag, median, report } from "../measure.ts";

const ROUNDS = flag("rounds", 15);

const resultMs: number[] = [];
const nothingMs: number[] = [];
// The first round fills the runtime's and the system's caches.
for (let round = 0; round <= ROUNDS; round++) {
  const nothing = await untilPrinted("nothing.ts");
  const result = await untilPrinted("first_result.ts");
  if (round === 0) continue;
  nothingMs.push(nothing);
  resultMs.push(result);
}
report({
  bench: "cold start",
  rounds: ROUNDS,
  firstResultMs: median(resultMs),
  leastMs: Math.min(...resultMs),
  mostMs: Math.max(...resultMs),
  runtimeAloneMs: median(nothingMs),
  oursMs: median(resultMs.map((ms, at) => ms - nothingMs[at]!)),
});

async function untilPrinted(script: string): Promise<number> {
  const began = performance.now();
  await using child = spawn(`../bench/children/${script}`);
  await child.until("completed");
  const ms = performance.now() - began;
  await child.exited;
  return ms;
}
