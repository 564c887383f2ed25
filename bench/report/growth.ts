import type { Line, Results } from "../results.ts";
import { number } from "./figures.ts";
import { notRun, type Runtime, RUNTIMES } from "./lines.ts";
import { tableOf } from "./table.ts";
import { wrap } from "./wrap.ts";

/** How results of one name are shown: a row for each combination of parameters. */
interface Shape {
  readonly bench: string;
  /** Those of the name that it is for. @default all */
  readonly isOf?: (line: Line) => boolean;
  readonly parameters: readonly string[];
  /** Shown one after the other. */
  readonly figures: readonly string[];
  /** What DESIGN wants. */
  readonly wanted?: (line: Line) => string;
}

const SHAPES: readonly Shape[] = [
  {
    bench: "full store",
    parameters: ["store", "runsAre", "holds", "size"],
    figures: ["cpuRatio", "wallRatio", "serverCpuRatio", "statementsPerRun", "rowsPerRun"],
    wanted: ({ holds }) => holds === "finished" ? "ratios ≤ 1.2" : "",
  },
  {
    bench: "full store, a claim",
    parameters: ["store", "holds", "size"],
    figures: ["rowsReadPerRun", "pagesPerRun"],
  },
  {
    bench: "large map",
    parameters: ["store", "items"],
    figures: ["itemsPerSecond", "timePerItemRatio", "rowsPerItem", "rssGrowthMb"],
    wanted: () => "ratio ≤ 1.2",
  },
  {
    bench: "processes",
    parameters: ["store", "processes", "bodyMs"],
    figures: ["ratio", "runsPerSecond", "commitsPerTask", "leastShare", "lost", "doneTwice"],
  },
  {
    bench: "tenants",
    parameters: ["store", "tenants"],
    figures: [
      ...["ratio", "openMsPerTenant", "memoryKbPerTenantAfterWork", "connections"],
      "idleStatementsPerSecondPerTenant",
    ],
  },
  {
    bench: "schedules, none due",
    parameters: ["store", "schedules"],
    figures: ["statementsPerSecond", "commitsPerSecond"],
    wanted: () => "≤ 1 statement/s",
  },
  {
    bench: "schedules, due",
    parameters: ["store", "schedules"],
    figures: [
      ...["ticksPerSecond", "lateP50Ms", "lateP99Ms", "lateMostMs", "timersLateP99Ms", "commitsPerTick"],
      "statementsPerTick",
    ],
    wanted: () => "p99 ≤ 50 ms",
  },
  {
    bench: "limits, waits of other keys",
    parameters: ["store", "what", "keys", "backlog"],
    figures: ["p50Ms", "p50WithoutMs", "p50Ratio", "p99Ms", "p99WithoutMs", "meanRatio", "drainedPerSecond"],
    wanted: ({ what }) => what === "shared" ? "" : "ratios ≤ 2",
  },
  {
    bench: "limits, throughput",
    parameters: ["store", "what", "keys", "tasks"],
    figures: ["runsPerSecond", "ratio", "cpuRatio"],
    wanted: ({ what }) => what === "shared" ? "" : "ratio ≥ 0.5",
  },
  {
    bench: "soak",
    isOf: ({ what }) => what === "runs",
    parameters: ["store", "minutes"],
    figures: [
      ...["started", "startedPerSecond", "completed", "failed", "cancelled", "lost", "wrong", "left", "orphans"],
      ...["runnersKilled", "runnersStopped"],
    ],
  },
  {
    bench: "soak",
    isOf: ({ what }) => what !== "runs",
    parameters: ["store", "what", "criterion"],
    figures: ["first", "last", "slopePerMinute", "flat"],
    wanted: () => "flat",
  },
  {
    bench: "memory, pending in the store",
    parameters: ["store", "what", "runs"],
    figures: ["held", "rssGrowthMb", "mostGrowthMb"],
    wanted: () => "not loaded",
  },
  {
    bench: "memory, in flight",
    parameters: ["store", "runs"],
    figures: ["rssGrowthMb", "mostGrowthMb"],
    wanted: () => "≤ 200 MB",
  },
];

/** Numbers that say how much of something there was. */
const SIZES = ["size", "runs", "tasks", "tenants", "processes", "limit", "minutes", "seconds", "rounds"];

/** What is no answer. */
const ASIDE = ["fill"];

/** Every result of the question, a table for each kind of them. */
export function growthTables({ results }: Results): string {
  const kinds = Map.groupBy(results.filter((line) => line["ran"] !== false), (line) => String(line["bench"]));
  return [...kinds].filter(([bench]) => !ASIDE.includes(bench)).flatMap(([bench, lines]) => {
    const shapes = SHAPES.filter((shape) => shape.bench === bench);
    return (shapes.length > 0 ? shapes : [guess(bench, lines)]).map((shape) => tableFor(shape, lines));
  }).join("\n\n");
}

function tableFor(shape: Shape, all: readonly Line[]): string {
  const lines = all.filter((line) => shape.isOf?.(line) ?? true);
  const heading = `${capital(shape.bench)}: ${shape.figures.map(spaced).join(" / ")}`;
  return `${wrap(heading)}\n\n${lines.length === 0 ? "Not run: no result." : kindTable(lines, shape)}`;
}

/** Words and sizes are parameters, other numbers are figures. */
function guess(bench: string, lines: readonly Line[]): Shape {
  const names = [...new Set(lines.flatMap((line) => Object.keys(line)))].filter((name) =>
    name !== "runtime" && name !== "bench"
  );
  const isNumber = (name: string): boolean =>
    !SIZES.includes(name) && lines.every((line) => typeof (line[name] ?? 0) === "number");
  const isEdge = (name: string): boolean =>
    names.includes(name.replace(/(Least|Most)$/, "")) && /Least$|Most$/.test(name);
  return {
    bench,
    parameters: names.filter((name) => !isNumber(name)),
    figures: names.filter((name) => isNumber(name) && !isEdge(name)),
  };
}

function kindTable(lines: readonly Line[], { parameters, figures, wanted }: Shape): string {
  const cases = Map.groupBy(lines, (line) => JSON.stringify(parameters.map((name) => line[name])));
  const isWanted = wanted !== undefined;
  return tableOf(
    [...parameters.map(spaced), "Deno", "Bun", ...(isWanted ? ["wanted"] : [])],
    [...cases.values()].map((lines) => [
      ...parameters.map((name) => show(lines[0]![name])),
      ...RUNTIMES.map((runtime) => cellOf(lines, runtime, figures)),
      ...(isWanted ? [wanted(lines[0]!)] : []),
    ]),
    [...parameters.map(() => "left" as const), "right", "right", ...(isWanted ? ["right" as const] : [])],
  );
}

function cellOf(lines: readonly Line[], runtime: Runtime, figures: readonly string[]): string {
  const line = lines.find((line) => String(line["runtime"]).startsWith(runtime));
  return line === undefined ? notRun("no result") : figures.map((name) => figureOf(line, name)).join(" / ");
}

function figureOf(line: Line, name: string): string {
  const [least, most] = [line[`${name}Least`], line[`${name}Most`]];
  const middle = show(line[name]);
  return least === undefined || most === undefined ? middle : `${middle} (${show(least)} – ${show(most)})`;
}

function show(value: unknown): string {
  return typeof value === "number" ? number(value) : String(value ?? "–").replaceAll("|", "/");
}

/** A name as words. */
function spaced(name: string): string {
  return name.replaceAll(/([A-Z])/g, " $1").toLowerCase();
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
