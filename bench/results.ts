import { existsSync, readFileSync } from "node:fs";

/** The questions that the benchmarks answer, in the order in which they are asked. */
export const QUESTIONS = ["ceiling", "peers", "growth", "workers"] as const;

/** One of them. */
export type Question = (typeof QUESTIONS)[number];

/** A result: what was measured, its parameters, and figures with their unit in the name. */
export type Line = Readonly<Record<string, unknown>>;

/** Where it was measured. */
export interface Machine {
  /** The processor's name. */
  readonly cpu: string;
  /** How many of them there are. */
  readonly cores: number;
  /** Memory. */
  readonly memoryGb: number;
  /** The operating system. */
  readonly os: string;
}

/** The saved results of a question. */
export interface Results {
  /** Which. */
  readonly question: Question;
  /** When it was answered, as `YYYY-MM-DD`. */
  readonly date: string;
  /** Whether in sizes that only show that it works. */
  readonly quick: boolean;
  /** Sizes that were given instead of the usual ones. */
  readonly sizes: readonly string[];
  /** On what. */
  readonly machine: Machine;
  /** With what. */
  readonly versions: Readonly<Record<string, string>>;
  /** All that the programs have printed. */
  readonly results: readonly Line[];
}

/** Reads the saved results of a question; `undefined` if there are none. */
export function readResults(question: Question): Results | undefined {
  const file = new URL(`results/${question}.json`, import.meta.url);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

/** JSON with a line for each result, so that a later one shows what has changed. */
export function textOf({ results, ...head }: Results): string {
  const lines = results.map((line) => `    ${JSON.stringify(line)}`);
  const opening = JSON.stringify(head, null, 2).slice(0, -2);
  return `${opening},\n  "results": [\n${lines.join(",\n")}\n  ]\n}\n`;
}
