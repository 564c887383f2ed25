import type { Line, Results } from "../results.ts";
import { figures, number, percent, spread } from "./figures.ts";
import { cellOf, type Row, RUNTIMES } from "./lines.ts";
import { tableOf } from "./table.ts";

const STORES = [
  { store: "sqlite-power", name: "SQLite `power`", p50Wanted: "p50 ≤ 3", fanWanted: "" },
  { store: "sqlite-process", name: "SQLite `process`", p50Wanted: "p50 ≤ 0.6", fanWanted: "" },
  { store: "postgres", name: "Postgres", p50Wanted: "", fanWanted: "p50 ≤ 30" },
] as const;

const CENTRE = { bench: "matrix", workload: "chain of 3", inFlight: 1_000, payloadBytes: 10 };

/** The targets for the distance to the ceiling, with the figures. */
export function ceilingTable(results: Results): string {
  const rows = [...STORES.flatMap(rowsOf), ...OTHERS];
  return tableOf(
    ["what", "Deno", "Bun", "wanted"],
    rows.map((row) => [row.what, ...RUNTIMES.map((runtime) => cellOf(results, row, runtime)), row.wanted ?? ""]),
    ["left", "right", "right", "right"],
  );
}

function rowsOf({ store, name, p50Wanted, fanWanted }: (typeof STORES)[number]): readonly Row[] {
  const isServer = store === "postgres";
  const program = "ceiling/matrix.ts";
  const where = { ...CENTRE, store };
  const idle = { ...where, inFlight: 1 };
  return [
    {
      what: `${name}: chain of 3, 1,000 in flight, share of the ceiling`,
      where,
      program,
      show: (line) => spread(line, "ratio", percent),
      wanted: "≥ 50 %",
    },
    {
      what: "… runs per second, Sluice / ceiling",
      where,
      program,
      show: (line) => figures(line, ["sluiceRunsPerSecond", "ceilingRunsPerSecond"]),
    },
    {
      what: "… commits / statements / rows per task",
      where,
      program,
      show: (line) => figures(line, ["sluiceCommitsPerTask", "sluiceStatementsPerTask", "sluiceRowsPerTask"]),
      wanted: isServer ? "≤ 0.05 / ≤ 0.05 / 1.67" : "≤ 0.05 / – / 1.67",
    },
    {
      what: "… bytes of write-ahead log per task, Sluice / ceiling",
      where,
      program,
      show: (line) => figures(line, ["sluiceWalBytesPerTask", "ceilingWalBytesPerTask"]),
      wanted: isServer ? "≤ 400 + 10" : "",
    },
    ...(isServer
      ? [{
        what: "… the same of a chain of 10",
        where: { ...where, workload: "chain of 10" },
        program,
        show: (line: Line) => figures(line, ["sluiceWalBytesPerTask", "ceilingWalBytesPerTask"]),
        wanted: "≤ 400 + 10",
      }]
      : []),
    {
      what: `${name}: chain of 3, idle machine, p50 / p95 / p99 ms`,
      where: idle,
      program,
      show: (line) => figures(line, ["sluiceP50Ms", "sluiceP95Ms", "sluiceP99Ms"]),
      wanted: p50Wanted,
    },
    {
      what: "… p50 as a multiple of the ceiling's",
      where: idle,
      program,
      show: (line) => figures(line, ["latencyRatio"]),
      wanted: isServer ? "≤ 2" : "",
    },
    {
      what: `${name}: 1 + 100 + 1, idle machine, p50 / p95 / p99 ms`,
      where: { ...idle, workload: "1 + 100 + 1" },
      program,
      show: (line) => figures(line, ["sluiceP50Ms", "sluiceP95Ms", "sluiceP99Ms"]),
      wanted: fanWanted,
    },
  ];
}

const WAKE_UPS: readonly Row[] = STORES.slice(1).map(({ store, name }) => ({
  what: `${name}: runner in another process, first body / result back, p50 ms`,
  where: { bench: "wake-up of another process", store },
  program: "ceiling/wake_up.ts",
  show: (line) => figures(line, ["firstBodyP50Ms", "resultP50Ms"]),
}));

const OTHERS: readonly Row[] = [
  ...WAKE_UPS,
  {
    what: "`sqlite::memory:`: start of the process to its first result, ms (least – most)",
    where: { bench: "cold start" },
    program: "ceiling/cold_start.ts",
    show: (line) =>
      `${figures(line, ["firstResultMs"])} (${figures(line, ["leastMs"])} – ${figures(line, ["mostMs"])})`,
    wanted: "≤ 80 (Bun)",
  },
  {
    what: "… of which the runtime alone, ms",
    where: { bench: "cold start" },
    program: "ceiling/cold_start.ts",
    show: (line) => figures(line, ["runtimeAloneMs"]),
  },
];

/** All cells of the matrix, a table for each store. */
export function matrixTables({ results }: Results): string {
  return STORES.map(({ store, name }) => {
    const cells = results.filter((line) => line["bench"] === "matrix" && line["store"] === store);
    return `${name} (${durabilityOf(cells)})\n\n${cells.length === 0 ? "Not run." : matrixTable(cells)}`;
  }).join("\n\n");
}

function durabilityOf(cells: readonly Line[]): string {
  return cells.length === 0 ? "no result" : String(cells[0]!["durability"]);
}

function matrixTable(cells: readonly Line[]): string {
  return tableOf(
    [
      ...["work", "in flight", "payload", "runtime", "share of the ceiling", "runs / s", "p50 / p95 / p99 ms"],
      ...[
        "CPU µs per task",
        "memory MB",
        "commits per task",
        "statements per task",
        "rows per task",
        "log bytes per task",
      ],
    ],
    inOrder(cells).map((line) => [
      String(line["workload"]),
      number(Number(line["inFlight"])),
      sizeOf(Number(line["payloadBytes"])),
      String(line["runtime"]).startsWith("bun") ? "Bun" : "Deno",
      spread(line, "ratio", percent),
      both(line, "RunsPerSecond"),
      figures(line, ["sluiceP50Ms", "sluiceP95Ms", "sluiceP99Ms"]),
      both(line, "CpuMicrosPerTask"),
      both(line, "MemoryGrowthMb"),
      both(line, "CommitsPerTask"),
      both(line, "StatementsPerTask"),
      both(line, "RowsPerTask"),
      both(line, "WalBytesPerTask"),
    ]),
    ["left", "right", "right", "left", ...Array<"right">(9).fill("right")],
  );
}

/** Cells as they were measured first, each with both of its runtimes. */
function inOrder(cells: readonly Line[]): readonly Line[] {
  const keyOf = (line: Line): string => JSON.stringify([line["workload"], line["inFlight"], line["payloadBytes"]]);
  return [...Map.groupBy(cells, keyOf).values()].flat();
}

function both(line: Line, figure: string): string {
  return figures(line, [`sluice${figure}`, `ceiling${figure}`]);
}

function sizeOf(bytes: number): string {
  return bytes < 1_024 ? `${bytes} B` : `${number(bytes / 1_024)} KB`;
}
