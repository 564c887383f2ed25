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

/** The targets; the worst result of each is compared. */
interface Goal {
  readonly what: string;
  readonly bench: string;
  /** The results that it is about. @default all of the name */
  readonly isOf?: (line: Line) => boolean;
  readonly figure: string;
  readonly most?: number;
  readonly least?: number;
}

const GOALS: readonly Goal[] = [
  {
    what: "Store with 1,000,000 finished runs: CPU of a run, as a multiple of that in an empty store",
    bench: "full store",
    isOf: ({ holds, size }) => holds === "finished" && size === 1_000_000,
    figure: "cpuRatio",
    most: 1.2,
  },
  {
    what: "… time of a run",
    bench: "full store",
    isOf: ({ holds, size }) => holds === "finished" && size === 1_000_000,
    figure: "wallRatio",
    most: 1.2,
  },
  {
    what: "Large map: time of an item, as a multiple of that in a small one",
    bench: "large map",
    figure: "timePerItemRatio",
    most: 1.2,
  },
  { what: "1 to 4 processes on one store: tasks lost", bench: "processes", figure: "lost", most: 0 },
  { what: "… done twice", bench: "processes", figure: "doneTwice", most: 0 },
  {
    what: "Soak with kills: results lost",
    bench: "soak",
    isOf: ({ what }) => what === "runs",
    figure: "lost",
    most: 0,
  },
  { what: "… wrong", bench: "soak", isOf: ({ what }) => what === "runs", figure: "wrong", most: 0 },
  { what: "10,000 runs in flight: memory, MB", bench: "memory, in flight", figure: "rssGrowthMb", most: 200 },
  {
    what: "10,000 schedules, none due: statements per second",
    bench: "schedules, none due",
    figure: "statementsPerSecond",
    most: 1,
  },
  {
    what: "10,000 schedules, 170 due per second: lateness, p99 ms",
    bench: "schedules, due",
    figure: "lateP99Ms",
    most: 50,
  },
  {
    what: "Limit with a backlog for one key: wait for another key, as a multiple of that without the backlog",
    bench: "limits, waits of other keys",
    isOf: ({ what }) => what !== "shared",
    figure: "p50Ratio",
    most: 2,
  },
  {
    what: "Limit with 1,000 keys: runs per second, as a share of those without limits",
    bench: "limits, throughput",
    isOf: ({ what }) => what !== "shared",
    figure: "ratio",
    least: 0.5,
  },
];

/** The worst figure of each goal over all stores. */
export function growthSummary({ results }: Results): string {
  return tableOf(
    ["the worst of all stores", "Deno", "Bun", "wanted"],
    GOALS.map((goal) => [
      goal.what,
      ...RUNTIMES.map((runtime) =>
        worstOf(goal, results.filter((line) => String(line["runtime"]).startsWith(runtime)))
      ),
      goal.most === undefined ? `≥ ${goal.least}` : goal.most === 0 ? "0" : `≤ ${number(goal.most)}`,
    ]),
    ["left", "right", "right", "right"],
  );
}

function worstOf({ bench, isOf, figure, most, least = -Infinity }: Goal, results: readonly Line[]): string {
  const lines = results.filter((line) => line["bench"] === bench && line["ran"] !== false && (isOf?.(line) ?? true));
  if (lines.length === 0) return notRun("no result");
  const values = lines.map((line) => Number(line[figure]));
  const worst = most === undefined ? Math.min(...values) : Math.max(...values);
  return worst >= least && worst <= (most ?? Infinity) ? number(worst) : `${number(worst)} (**missed**)`;
}

/** Numbers that say how much of something there was. */
const SIZES = ["size", "runs", "tasks", "tenants", "processes", "limit", "minutes", "seconds", "rounds"];

/** Fields that are not figures. */
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
