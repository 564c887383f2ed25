/** What `deno task bench report` writes: the tables of bench/README.md, and the chart of README.md. */
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { readFileSync } from "node:fs";
import { CHART, fillIn, readSaved, type Saved, TABLES } from "../bench/report.ts";
import { drawChart } from "../bench/report/chart.ts";
import type { Line, Question, Results } from "../bench/results.ts";
import { test } from "./harness.ts";
import { read } from "./source_tree.ts";

const EMPTY = ["ceiling", "matrix", "peers", "growth"]
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
  store: "postgres",
  peer: "DBOS",
  version: "5",
  durability: "fsync=on",
  runsPerSecond: 198.4,
  ran: true,
};

test("the tables of bench/README.md and the chart are those that the saved results give", () => {
  const saved = readSaved();
  const tables = readFileSync(TABLES, "utf8");
  assertEquals(fillIn(tables, saved), tables);
  assertEquals(drawChart(saved.peers, saved.ceiling), readFileSync(CHART, "utf8"));
  assertStringIncludes(read("README.md"), "](bench/results/chart.svg)");
});

test("a question without results says so, and what makes them", () => {
  const text = fillIn(EMPTY, {});
  for (const question of ["ceiling", "peers", "growth"]) {
    assertStringIncludes(text, `Not run: there are no results. \`deno task bench ${question} --save\` makes them.`);
  }
  assertStringIncludes(drawChart(undefined, undefined), "not run: the peers have no results yet");
});

test("a figure stands with its least and its most beside what is wanted, in the column of its runtime", () => {
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

test("a program that failed is the reason why its figures are missing, and only there", () => {
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

test("peers stand beside Sluice in either runtime, and one that was not run says why", () => {
  const results = saved("peers", [
    { ...DBOS, sluiceRuntime: "deno 2", sluiceRunsPerSecond: 19_800, ratio: 99.8, ratioLeast: 90, ratioMost: 110.2 },
    { ...DBOS, sluiceRuntime: "bun 1", sluiceRunsPerSecond: 20_500, ratio: 103.3, ratioLeast: 91, ratioMost: 115 },
    { ...DBOS, peer: "Absurd", ran: false, why: "its SQL | is not in its package" },
  ]);
  const rows = cellsOf(fillIn(EMPTY, results), /DBOS 5/, 2);
  assertEquals(rows.map((row) => row.slice(2, 6)), [
    ["DBOS 5", "99.8 × (90 – 110)", "103 × (91 – 115)", "≥ 30 ×"],
    ["Absurd 5", ...Array(2).fill("not run: its SQL / is not in its package"), "≥ 30 ×"],
  ]);
  const chart = drawChart(results.peers, undefined);
  assertEquals([...chart.matchAll(/class="value[^>]*>([\d,]+)</g)].map(([, value]) => value), [
    "20,500",
    "19,800",
    "198",
  ]);
  assertStringIncludes(chart, ">Absurd: not run: its SQL / is not in its package<");
});

test("a soak is a table of its runs and one of what stays flat", () => {
  const soak = { runtime: "bun 1", bench: "soak", store: "sqlite", minutes: 3 };
  const results = saved("growth", [
    { ...soak, what: "runs", started: 900, startedPerSecond: 5, completed: 890, failed: 6, cancelled: 4, lost: 0 },
    { ...soak, what: "rssMb", criterion: "≤ 1.1 ×", first: 81.2, last: 82.6, slopePerMinute: 0.31, flat: true },
  ]);
  const text = fillIn(EMPTY, results);
  assertEquals(cellsOf(text, /\| sqlite \| 3/, 1)[0]!.at(-1), "900 / 5 / 890 / 6 / 4 / 0 / – / – / – / – / –");
  assertEquals(cellsOf(text, /\| rss/, 1)[0]!.slice(-2), ["81.2 / 82.6 / 0.31 / true", "flat"]);
});

test("results that nobody has described yet are shown by their names", () => {
  const results = saved("growth", [
    { runtime: "bun 1", bench: "tides", store: "sqlite", ratio: 1.04, ratioLeast: 1, ratioMost: 1.1, walMb: 12 },
  ]);
  const text = fillIn(EMPTY, results);
  assertStringIncludes(text, "Tides: ratio / wal mb");
  assertEquals(cellsOf(text, /\| sqlite/, 1), [["sqlite", "not run: no result", "1.04 (1 – 1.1) / 12"]]);
});

test("the chart is drawn for light and for dark, says in words what it shows, and escapes what it is given", () => {
  const chart = drawChart(
    saved("peers", [{ ...DBOS, peer: "<DBOS & Co>", sluiceRuntime: "bun 1", sluiceRunsPerSecond: 20_500 }]).peers,
    undefined,
  );
  assertStringIncludes(chart, "@media (prefers-color-scheme: dark)");
  assertMatch(chart, /<desc id="desc">Postgres: Sluice on Bun 20,500; &lt;DBOS &amp; Co&gt; 5 198/);
  assertEquals(chart.includes("<DBOS"), false);
});

test("sizes that are not the usual ones are said, and a text without a marker is refused", () => {
  const results = saved("ceiling", []);
  const small = { ceiling: { ...results.ceiling!, quick: true, sizes: ["--rounds=1"] } };
  assertMatch(fillIn(EMPTY, small).replaceAll("\n", " "), /With `--rounds=1`\. .* no figures to rely on/);
  assertThrows(() => fillIn("<!-- results:ceiling -->", results), Error, "<!-- /results:ceiling -->");
});

function saved(question: Question, results: readonly Line[]): Saved {
  const machine = { cpu: "a processor", cores: 2, memoryGb: 8, os: "an os" };
  const versions = { deno: "2" };
  const one: Results = { question, date: "2026-01-02", quick: false, sizes: [], machine, versions, results };
  return { [question]: one };
}

/** The cells of so many rows of a table, from the first that matches. */
function cellsOf(text: string, first: RegExp, count: number): string[][] {
  const lines = text.split("\n");
  const from = lines.findIndex((line) => first.test(line));
  return lines.slice(from, from + count).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}
