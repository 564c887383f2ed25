import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** A number given as `--name=value`. */
export function flag(name: string, otherwise: number): number {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  return given === undefined ? otherwise : Number(given.slice(name.length + 3));
}

/** Whether there is a `--name=…`. */
export function isGiven(name: string): boolean {
  return process.argv.some((argument) => argument.startsWith(`--${name}=`));
}

/** One of several words given as `--name=word`, or else all of them. */
export function choice<Word extends string>(name: string, words: readonly Word[]): readonly Word[] {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
  if (given === undefined) return words;
  const chosen = words.filter((word) => word === given || word.startsWith(`${given}-`));
  if (chosen.length === 0) throw new RangeError(`--${name}=${given}: there are ${words.join(", ")}`);
  return chosen;
}

/** A path for a database that is removed afterwards. */
export function scratch(): { readonly path: string; [Symbol.dispose](): void } {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  return {
    path: join(directory, "bench.db"),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Executes `work` `times` times, `flight` at once; returns milliseconds. */
export async function inFlight(times: number, flight: number, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  let left = times;
  await Promise.all(Array.from({ length: Math.min(flight, times) }, async () => {
    while (left-- > 0) await work();
  }));
  return performance.now() - began;
}

/** The median. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the share `q` of all lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

/** Prints a result as one line of JSON, with the current runtime. */
export function report(result: Readonly<Record<string, unknown>>): void {
  const rounded = Object.entries(result).map(([name, value]) => [
    name,
    // Whole numbers are counts and sizes, which are exact.
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
  ]);
  console.log(JSON.stringify({ runtime: runtime(), ...Object.fromEntries(rounded) }));
}

/** The runtime that runs this, with its version. */
export function runtime(): string {
  const { deno, bun, node } = process.versions as Record<string, string | undefined>;
  return deno !== undefined ? `deno ${deno}` : bun !== undefined ? `bun ${bun}` : `node ${node}`;
}

/** The time in milliseconds since the epoch: the same in all processes of a machine, finer than a millisecond. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
