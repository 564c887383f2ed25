/**
 * `deno task bench ceiling`, `peers`, `growth` or `workers` answers one of the questions; without a name it answers all of
 * them. `report` writes the tables and the chart from the saved results. `--quick` takes sizes that only show that the
 * programs work. `--save` keeps the results in `bench/results/` and then writes the report. `--name=value` is passed to
 * every program.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describeMachine, describeVersions } from "./machine.ts";
import { writeReport } from "./report.ts";
import { type Line, type Question, QUESTIONS, type Results, textOf } from "./results.ts";

/** A program, and its options for `--quick`. */
type Program = readonly [script: string, quick: readonly string[]];

const PROGRAMS: Readonly<Record<Question, readonly Program[]>> = {
  ceiling: [
    ["ceiling/matrix.ts", ["--points=4", "--seconds=0.02", "--rounds=1"]],
    ["ceiling/wake_up.ts", ["--wakes=20"]],
    ["ceiling/message.ts", ["--messages=20"]],
    ["ceiling/child_runs.ts", ["--rounds=1"]],
    ["ceiling/map.ts", ["--rounds=1", "--items=1000"]],
    ["ceiling/cold_start.ts", ["--rounds=5"]],
  ],
  // It starts Sluice in both runtimes by itself.
  peers: [["peers/main.ts", ["--rounds=1", "--scale=0.05"]]],
  growth: [
    ["growth/full_store.ts", ["--size=5000", "--runs=1000", "--rounds=1"]],
    ["growth/processes.ts", ["--runs=1000", "--rounds=1", "--body=5"]],
    ["growth/tenants.ts", ["--tenants=10", "--runs=200", "--idle=1000"]],
    ["growth/soak.ts", ["--minutes=0.25"]],
    ["growth/memory.ts", ["--pending=10000", "--flight=1000"]],
    ["growth/large_map.ts", ["--items=20000"]],
    ["growth/many_children.ts", ["--children=5000"]],
    ["schedules.ts", ["--schedules=500", "--seconds=3"]],
    ["limits.ts", ["--backlog=2000", "--seconds=1", "--runs=1000", "--rounds=1"]],
  ],
  // The engine of workers runs under Deno.
  workers: [
    ["worker.ts", ["--rounds=2", "--runs=500"]],
    ["python.ts", ["--rounds=1", "--items=2000"]],
  ],
};

/** How a program is started. */
interface Runtime {
  readonly name: "deno" | "bun";
  readonly command: string;
  readonly args: readonly string[];
}

const DENO: Runtime = {
  name: "deno",
  command: "Deno" in globalThis ? process.execPath : "deno",
  args: ["run", "-A", "--no-check", "--quiet"],
};
const BUN: Runtime = { name: "bun", command: "bun", args: [] };

const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
/** Sizes for the programs. */
const sizes = process.argv.slice(2).filter((word) => /^--\w+=/.test(word));
const isQuick = process.argv.includes("--quick");
const isSaved = process.argv.includes("--save");

await main();

async function main(): Promise<void> {
  const unknown = words.find((word) => word !== "report" && !QUESTIONS.some((name) => name === word));
  if (unknown !== undefined) {
    console.error(`No such question: ${unknown} (there are ${QUESTIONS.join(", ")}; and report)`);
    process.exitCode = 2;
    return;
  }
  const asked = QUESTIONS.filter((name) => words.length === 0 || words.includes(name));
  for (const question of asked) await answer(question);
  if (words.includes("report") || (isSaved && asked.length > 0)) writeReport();
}

async function answer(question: Question): Promise<void> {
  const results: Line[] = [];
  for (const runtime of question === "peers" || question === "workers" ? [DENO] : [DENO, BUN]) {
    for (const program of PROGRAMS[question]) results.push(...await run(runtime, program));
  }
  if (isSaved) await save(question, results);
}

/** Shows what a program prints, and keeps its results; one that fails is a result as well. */
async function run({ name, command, args }: Runtime, [script, quick]: Program): Promise<readonly Line[]> {
  const lines: Line[] = [];
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(command, [...args, path, ...sizes, ...(isQuick ? quick : [])], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  createInterface({ input: child.stdout! }).on("line", (text) => {
    console.log(text);
    if (text.startsWith("{")) lines.push(JSON.parse(text));
  });
  const why = await new Promise<string | undefined>((resolve) => {
    // Where there is no such command, its output has no end.
    child.once("error", (error) => resolve(error.message));
    child.once(
      "close",
      (code, signal) => resolve(code === 0 ? undefined : `it ended with ${signal ?? `code ${code}`}`),
    );
  });
  if (why === undefined) return lines;
  console.error(`${script} under ${command}: ${why}`);
  process.exitCode = 1;
  return [...lines, { runtime: name, bench: script, ran: false, why }];
}

async function save(question: Question, lines: readonly Line[]): Promise<void> {
  const results: Results = {
    question,
    date: new Date().toISOString().slice(0, 10),
    quick: isQuick,
    sizes,
    machine: describeMachine(),
    versions: await describeVersions(DENO, BUN),
    results: lines,
  };
  const folder = new URL("results/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${question}.json`, folder), textOf(results));
}
