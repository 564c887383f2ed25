/** The output of `deno task bench report`: the tables of bench/README.md, and the chart of README.md. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { readFileSync } from "node:fs";
import { CHART, fillIn, pagesOf, readSaved, type Saved, TABLES } from "../bench/report.ts";
import { drawChart } from "../bench/report/chart.ts";
import type { Line, Question, Results } from "../bench/results.ts";
import { test } from "./harness.ts";
import { read } from "./source_tree.ts";

const EMPTY = ["ceiling", "peers", "growth", "workers"]
  .map((name) => `<!-- results:${name} -->\n<!-- /results:${name} -->`).join("\n");

const CENTRE = {
  bench: "matrix",
  store: "postgres",
  workload: "chain of 3",
  inFlight: 1_000,
  payloadBytes: 10,
  durability: "fsync=on",
  ratio: 0.523,
  ratioLeast: 0.46,
  ratioMost: 0.571,
  sluiceRunsPerSecond: 20_412,
  ceilingRunsPerSecond: 38_031,
};

const DBOS = {
  runtime: "deno 2",
  bench: "peers",
  workload: "chain of 3",
  inFlight: 100,
  store: "postgres",
  peer: "DBOS",
  version: "5",
  durability: "fsync=on",
  runsPerSecond: 198.4,
  ran: true,
};

test("the tables of bench/README.md and the chart agree with the saved results", () => {
  const saved = readSaved();
  const tables = readFileSync(TABLES, "utf8");
  assertEquals(fillIn(tables, saved), tables);
  assertEquals(drawChart(saved.peers, saved.ceiling), readFileSync(CHART, "utf8"));
  for (const [path, text] of pagesOf(saved)) assertEquals(read(`bench/${path}`), text);
  assert(tables.split("\n").length <= 201);
  assertStringIncludes(read("README.md"), "](bench/results/chart.svg)");
});

test("the text for a question without results states that, and the command that produces them", () => {
  const text = fillIn(EMPTY, {});
  for (const question of ["ceiling", "peers", "growth", "workers"]) {
    assertStringIncludes(text, `Not run: there are no results. \`deno task bench ${question} --save\` makes them.`);
  }
  assertStringIncludes(drawChart(undefined, undefined), "not run: the peers have no results yet");
});

test("a figure is shown with its minimum, maximum and target, in the column of its runtime", () => {
  const text = fillIn(EMPTY, saved("ceiling", [{ runtime: "bun 1", ...CENTRE }]));
  const rows = cellsOf(text, /Postgres: chain of 3, 1,000 in flight/, 2);
  assertEquals(rows, [
    [
      "Postgres: chain of 3, 1,000 in flight, share of the ceiling",
      "not run: no result",
      "52 % (46 % – 57 %)",
      "≥ 50 %",
    ],
    ["… runs per second, Sluice / ceiling", "not run: no result", "20,412 / 38,031", ""],
  ]);
});

test("figures of workers are shown beside their targets, and those that miss a target are marked", () => {
  const python = {
    bench: "python",
    readyMs: 250.4,
    readyMsLeast: 240,
    readyMsMost: 400,
    functionCallsPerSecond: 4_900,
  };
  const text = fillIn(EMPTY, saved("workers", [{ runtime: "python 3", ...python, coroutineCallsPerSecond: 9_000 }]));
  assertEquals(cellsOf(text, /Python: ready/, 3), [
    ["Python: ready after, ms", "250 (240 – 400)", "≤ 300"],
    ["… calls of functions per second", "4,900 (**missed**)", "≥ 5,000"],
    ["… calls of coroutines per second", "9,000", "≥ 5,000"],
  ]);
  assertStringIncludes(text, "not run: no result");
});

test("the failure of a program is shown only where its figures are missing", () => {
  const text = fillIn(
    EMPTY,
    saved("ceiling", [
      { runtime: "deno 2", bench: "cold start", firstResultMs: 61.7, leastMs: 60, mostMs: 66, runtimeAloneMs: 14 },
      { runtime: "deno", bench: "ceiling/matrix.ts", ran: false, why: "it ended with code 1" },
    ]),
  );
  const [matrix] = cellsOf(text, /SQLite `power`: chain of 3, 1,000 in flight/, 1);
  assertEquals(matrix!.slice(1, 3), ["not run: it ended with code 1", "not run: no result"]);
  const [cold] = cellsOf(text, /first result, ms/, 1);
  assertEquals(cold!.slice(1, 3), ["61.7 (60 – 66)", "not run: no result"]);
});

test("peers and Sluice are shown side by side for each concurrency, with the ratio to the best and missed targets", () => {
  const bun = { sluiceRuntime: "bun 1", sluiceRunsPerSecond: 2_050 };
  const deno = { sluiceRuntime: "deno 2", sluiceRunsPerSecond: 6_000 };
  const slow = { ...DBOS, peer: "Cloacina", runsPerSecond: 46, peerPolls: "it looks twice a second" };
  const results = saved("peers", [
    { ...DBOS, ...deno, ratio: 30.2, ratioLeast: 28, ratioMost: 33 },
    { ...DBOS, ...bun, ratio: 10.3, ratioLeast: 9, ratioMost: 11 },
    { ...slow, ...deno, ratio: 130, ratioLeast: 128, ratioMost: 133 },
    { ...slow, ...bun, ratio: 44.6, ratioLeast: 40, ratioMost: 50 },
    { ...DBOS, ...deno, inFlight: 10, runsPerSecond: 90, sluiceRunsPerSecond: 1_090, ratio: 12.1 },
    { ...DBOS, ...bun, inFlight: 10, runsPerSecond: 90, sluiceRunsPerSecond: 1_000, ratio: 11.1 },
    { ...DBOS, peer: "Absurd", ran: false, why: "its SQL | is not in its package" },
  ]);
  const text = fillIn(EMPTY, results);
  assertEquals(cellsOf(text, /\| DBOS 5/, 7), [
    ["DBOS 5", "198", "90", "198"],
    ["Cloacina 5 *", "46", "–", "46"],
    ["Absurd 5", "not run: its SQL / is not in its package", "–", "–"],
    ["Sluice on Deno", "6,000", "1,090", "6,000"],
    ["Sluice on Bun", "2,050", "1,000", "2,050"],
    ["Deno / the best peer", "30.2 × (≥ 30)", "12.1 × (≥ 12)", ""],
    ["Bun / the best peer", "10.3 × (**missed**: ≥ 30)", "11.1 × (**missed**: ≥ 12)", ""],
  ]);
  assertStringIncludes(text, "Cloacina: it looks twice a second.");
  const chart = drawChart(results.peers, undefined);
  assertEquals([...chart.matchAll(/class="value[^>]*>([\d,]+)</g)].map(([, value]) => value), [
    "6,000",
    "2,050",
    "198",
    "46",
  ]);
  assertStringIncludes(chart, ">Absurd: not run: its SQL / is not in its package<");
});

test("a soak is shown as a table of its runs and a table of the figures that must stay flat", () => {
  const soak = { runtime: "bun 1", bench: "soak", store: "sqlite", minutes: 3 };
  const results = saved("growth", [
    { ...soak, what: "runs", started: 900, startedPerSecond: 5, completed: 890, failed: 6, cancelled: 4, lost: 0 },
    { ...soak, what: "rssMb", criterion: "≤ 1.1 ×", first: 81.2, last: 82.6, slopePerMinute: 0.31, flat: true },
  ]);
  const text = growthPage(results);
  assertEquals(cellsOf(text, /\| sqlite \| 3/, 1)[0]!.at(-1), "900 / 5 / 890 / 6 / 4 / 0 / – / – / – / – / –");
  assertEquals(cellsOf(text, /\| rss/, 1)[0]!.slice(-2), ["81.2 / 82.6 / 0.31 / true", "flat"]);
});

test("results without a description are shown by their names", () => {
  const results = saved("growth", [
    { runtime: "bun 1", bench: "tides", store: "sqlite", ratio: 1.04, ratioLeast: 1, ratioMost: 1.1, walMb: 12 },
  ]);
  const text = growthPage(results);
  assertStringIncludes(text, "Tides: ratio / wal mb");
  assertEquals(cellsOf(text, /\| sqlite/, 1), [["sqlite", "not run: no result", "1.04 (1 – 1.1) / 12"]]);
});

test("the chart has a light and a dark version and a text alternative, and escapes its input", () => {
  const chart = drawChart(
    saved("peers", [{ ...DBOS, peer: "<DBOS & Co>", sluiceRuntime: "bun 1", sluiceRunsPerSecond: 20_500 }]).peers,
    undefined,
  );
  assertStringIncludes(chart, "@media (prefers-color-scheme: dark)");
  assertMatch(chart, /<desc id="desc">Postgres, 100 in flight: Sluice on Bun 20,500; &lt;DBOS &amp; Co&gt; 5 198/);
  assertEquals(chart.includes("<DBOS"), false);
});

test("sizes that differ from the default are stated, and a text without a marker is rejected", () => {
  const results = saved("ceiling", []);
  const small = { ceiling: { ...results.ceiling!, quick: true, sizes: ["--rounds=1"] } };
  assertMatch(fillIn(EMPTY, small).replaceAll("\n", " "), /With `--rounds=1`\. .* no figures to rely on/);
  assertThrows(() => fillIn("<!-- results:ceiling -->", results), Error, "<!-- /results:ceiling -->");
});

function growthPage(results: Saved): string {
  return pagesOf(results).find(([path]) => path === "results/growth.md")![1];
}

function saved(question: Question, results: readonly Line[]): Saved {
  const machine = { cpu: "a processor", cores: 2, memoryGb: 8, os: "an os" };
  const versions = { deno: "2" };
  const one: Results = { question, date: "2026-01-02", quick: false, sizes: [], machine, versions, results };
  return { [question]: one };
}

/** Returns the cells of the given number of rows of a table, from the first row that matches. */
function cellsOf(text: string, first: RegExp, count: number): string[][] {
  const lines = text.split("\n");
  const from = lines.findIndex((line) => first.test(line));
  return lines.slice(from, from + count).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}
