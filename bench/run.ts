/**
 * All benchmarks in order, under Deno and then under Bun: `deno task bench`, or `deno task bench --quick` for sizes that
 * show that they work and little more.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const BENCHMARKS: readonly (readonly [script: string, quick: readonly string[]])[] = [
  ["ceiling/matrix.ts", ["--points=4", "--seconds=0.02", "--rounds=1"]],
  ["ceiling/wake_up.ts", ["--wakes=20"]],
  ["growth/history.ts", ["--finished=20000", "--waiting=10000", "--runs=1000", "--rounds=5"]],
  ["growth/backlog.ts", ["--pending=20000", "--delayed=20000", "--finished=20000", "--claims=50"]],
  ["growth/memory.ts", ["--pending=10000", "--flight=1000"]],
  ["ceiling/cold_start.ts", ["--rounds=5"]],
];

const isQuick = process.argv.includes("--quick");
const deno = "Deno" in globalThis ? process.execPath : "deno";
const runtimes: readonly (readonly [command: string, args: readonly string[]])[] = [
  [deno, ["run", "-A", "--no-check", "--quiet"]],
  ["bun", []],
];

for (const [command, args] of runtimes) {
  for (const [script, quick] of BENCHMARKS) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const { status, error } = spawnSync(command, [...args, path, ...(isQuick ? quick : [])], { stdio: "inherit" });
    if (error !== undefined) console.error(`Cannot run ${command}: ${error.message}`);
    if (status !== 0) process.exitCode = 1;
  }
}
