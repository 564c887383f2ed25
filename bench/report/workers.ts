import type { Line, Results } from "../results.ts";
import { number, spread } from "./figures.ts";
import { notRun } from "./lines.ts";
import { tableOf } from "./table.ts";

/** A figure: a description, the result that contains it, its name there, and the bound that is wanted. */
interface Figure {
  readonly what: string;
  readonly bench: "worker" | "python";
  readonly name: string;
  readonly bound?: { readonly text: string; readonly isKept: (value: number) => boolean };
}

const READY = { text: "≤ 300", isKept: (ms: number) => ms <= 300 };
const CALLS = { text: "≥ 5,000", isKept: (rate: number) => rate >= 5_000 };

const FIGURES: readonly Figure[] = [
  { what: "Engine for workers: ready after, ms", bench: "worker", name: "readyMs" },
  { what: "… calls of bodies per second", bench: "worker", name: "callsPerSecond" },
  { what: "Python: ready after, ms", bench: "python", name: "readyMs", bound: READY },
  { what: "… calls of functions per second", bench: "python", name: "functionCallsPerSecond", bound: CALLS },
  { what: "… calls of coroutines per second", bench: "python", name: "coroutineCallsPerSecond", bound: CALLS },
  { what: "… memory of the Python process, MB", bench: "python", name: "memoryMb" },
];

/** How fast workers in other languages are. */
export function workersTable({ results }: Results): string {
  return tableOf(["what", "median (least – most)", "wanted"], FIGURES.map((figure) => rowOf(figure, results)), [
    "left",
    "right",
    "right",
  ]);
}

function rowOf({ what, bench, name, bound }: Figure, results: readonly Line[]): readonly string[] {
  const line = results.find((one) => one["bench"] === bench);
  if (line === undefined) return [what, notRun("no result"), bound?.text ?? ""];
  const mark = bound === undefined || bound.isKept(Number(line[name])) ? "" : " (**missed**)";
  return [what, `${spread(line, name, number)}${mark}`, bound?.text ?? ""];
}
