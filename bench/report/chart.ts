/**
 * The chart of README.md: runs per second of chains of three tasks, Sluice and its peers, with 1, 100 and 1,000 runs in
 * flight, as bars along a logarithmic scale. Colours follow the reader's light or dark scheme.
 *
 * @module
 */
import type { Line, Results } from "../results.ts";
import { median } from "../measure.ts";
import { notRun, RUNTIMES } from "./lines.ts";

interface Bar {
  readonly name: string;
  /** What a commit survives. */
  readonly durability: string;
  readonly runsPerSecond: number;
  readonly isOurs: boolean;
}

interface Panel {
  readonly title: string;
  /** The durability that all of them share; `undefined` if it differs, and is shown for each. */
  readonly durability: string | undefined;
  readonly bars: readonly Bar[];
  /** Peers without a bar, and why. */
  readonly missing: readonly string[];
}

const WIDTH = 800;
const LEFT = 200;
const RIGHT = 690;
const BAR = 15;
const STEP = 21;
const HEAD = 64;
const WORK = "chain of 3";
const FLIGHTS = [1, 100, 1_000];

/** Draws it. */
export function drawChart(peers: Results | undefined, ceiling: Results | undefined): string {
  const panels = STORES.flatMap(([store, name]) => {
    const all = FLIGHTS.map((flight) => panelOf(store, name, flight, peers, ceiling));
    const drawn = all.filter(({ bars, missing }) => bars.length > 0 || missing.length === 0);
    return drawn.length > 0 ? drawn : all.slice(0, 1);
  });
  const rates = panels.flatMap(({ bars }) => bars.map((bar) => bar.runsPerSecond));
  const least = Math.floor(Math.log10(Math.max(1, Math.min(...rates, 10))));
  const most = Math.ceil(Math.log10(Math.max(...rates, 10)));
  const x = (rate: number): number => LEFT + (RIGHT - LEFT) * (Math.log10(rate) - least) / (most - least);

  const body: string[] = [];
  let top = HEAD;
  for (const panel of panels) {
    body.push(...drawPanel(panel, top, x, [least, most]));
    top += heightOf(panel);
  }
  const date = (peers ?? ceiling)?.date ?? "";
  const title = "Chains of three tasks: runs per second";
  const ways = `logarithmic scale; longer is better${date === "" ? "" : `; ${date}`}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-labelledby="title desc">`,
    `  <title id="title">${title}</title>`,
    `  <desc id="desc">${escape(describe(panels))}</desc>`,
    STYLE,
    `  <rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${top - 1}" rx="8"/>`,
    `  <text class="title" x="20" y="30">${title}</text>`,
    `  <text class="quiet" x="20" y="49">${ways}</text>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

const STORES = [["postgres", "Postgres"], ["sqlite", "SQLite"]] as const;

const STYLE = `  <style>
    text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #1f2328; }
    .title { font-size: 17px; font-weight: 600; }
    .panel { font-size: 14px; font-weight: 600; }
    .ours { font-weight: 600; }
    .quiet { font-size: 11px; font-weight: 400; fill: #59636e; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .ground { fill: #ffffff; stroke: #d1d9e0; }
    .grid { stroke: #d1d9e0; stroke-width: 1; }
    .bar { fill: #8c959f; }
    .bar.ours { fill: #0969da; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .quiet { fill: #9198a1; }
      .ground { fill: #0d1117; stroke: #3d444d; }
      .grid { stroke: #3d444d; }
      .bar { fill: #656c76; }
      .bar.ours { fill: #4493f8; }
    }
  </style>`;

function panelOf(
  store: string,
  name: string,
  flight: number,
  peers: Results | undefined,
  ceiling: Results | undefined,
): Panel {
  const lines = (peers?.results ?? []).filter((line) =>
    line["bench"] === "peers" && line["peer"] !== undefined && line["workload"] === WORK &&
    line["inFlight"] === flight && String(line["store"]).startsWith(store)
  );
  const theirs = [...Map.groupBy(lines.filter((line) => line["ran"] !== false), keyOf).values()].map(peerBar);
  const ours = theirs.length > 0 ? sluiceBars(lines) : ceilingBars(store, flight, ceiling);
  const missing = [...new Set(lines.filter((line) => line["ran"] === false).map(whyNot))];
  if (peers === undefined) missing.push(notRun("the peers have no results yet"));
  else if (lines.length === 0) missing.push(notRun("no peer has a result"));
  const bars = [...ours, ...theirs].sort((a, b) => b.runsPerSecond - a.runsPerSecond);
  const durabilities = new Set(bars.map(({ durability }) => durability));
  const title = bars.length === 0 ? name : `${name}, ${flight.toLocaleString("en-US")} in flight`;
  return { title, durability: durabilities.size === 1 ? [...durabilities][0] : undefined, bars, missing };
}

function keyOf(line: Line): string {
  return JSON.stringify([line["peer"], line["durability"]]);
}

function peerBar(lines: readonly Line[]): Bar {
  const { peer, version, durability } = lines[0]!;
  return {
    name: [peer, version].filter((part) => part !== undefined).join(" "),
    durability: String(durability ?? ""),
    runsPerSecond: median(lines.map((line) => Number(line["runsPerSecond"]))),
    isOurs: false,
  };
}

/** The figures of Sluice next to the peers, for each runtime and durability. */
function sluiceBars(lines: readonly Line[]): readonly Bar[] {
  const measured = lines.filter((line) => line["sluiceRunsPerSecond"] !== undefined);
  const groups = Map.groupBy(measured, (line) => JSON.stringify([line["sluiceRuntime"], guard(line)]));
  return [...groups.values()].map((lines) => ({
    name: `Sluice on ${runtimeName(String(lines[0]!["sluiceRuntime"]))}`,
    durability: guard(lines[0]!),
    runsPerSecond: median(lines.map((line) => Number(line["sluiceRunsPerSecond"]))),
    isOurs: true,
  }));
}

/** The durability of a commit of Sluice. */
function guard(line: Line): string {
  return String(line["sluiceDurability"] ?? line["durability"] ?? "");
}

/** Sluice without peers. */
function ceilingBars(store: string, flight: number, ceiling: Results | undefined): readonly Bar[] {
  return (ceiling?.results ?? []).filter((line) =>
    line["bench"] === "matrix" && line["workload"] === WORK && line["inFlight"] === flight &&
    line["payloadBytes"] === 10 && String(line["store"]).startsWith(store)
  ).map((line) => ({
    name: `Sluice on ${runtimeName(String(line["runtime"]))}`,
    durability: String(line["durability"]),
    runsPerSecond: Number(line["sluiceRunsPerSecond"]),
    isOurs: true,
  }));
}

function whyNot(line: Line): string {
  return `${line["peer"]}: ${notRun(line["why"])}`;
}

function drawPanel(
  { title, durability, bars, missing }: Panel,
  top: number,
  x: (rate: number) => number,
  [least, most]: readonly [number, number],
): readonly string[] {
  const first = top + 42;
  const bottom = first + bars.length * STEP;
  const aside = durability === undefined ? "" : ` <tspan class="quiet" dx="6">${escape(durability)}</tspan>`;
  const drawn = [`  <text class="panel" x="20" y="${top + 14}">${title}${aside}</text>`];
  for (let decade = least; bars.length > 0 && decade <= most; decade++) {
    const at = round(x(10 ** decade));
    drawn.push(`  <line class="grid" x1="${at}" y1="${first - 6}" x2="${at}" y2="${bottom}"/>`);
    drawn.push(
      `  <text class="quiet middle" x="${at}" y="${first - 12}">${(10 ** decade).toLocaleString("en-US")}</text>`,
    );
  }
  bars.forEach(({ name, durability: own, runsPerSecond, isOurs }, at) => {
    const y = first + at * STEP;
    const mark = isOurs ? " ours" : "";
    const width = Math.max(1, round(x(runsPerSecond) - LEFT));
    const isOwn = durability === undefined;
    drawn.push(`  <text class="end${mark}" x="${LEFT - 10}" y="${y + (isOwn ? 7 : 12)}">${escape(name)}</text>`);
    if (isOwn) drawn.push(`  <text class="quiet end" x="${LEFT - 10}" y="${y + 17}">${escape(own)}</text>`);
    drawn.push(`  <rect class="bar${mark}" x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="3"/>`);
    drawn.push(`  <text class="value${mark}" x="${LEFT + width + 8}" y="${y + 12}">${shown(runsPerSecond)}</text>`);
  });
  missing.forEach((why, at) => {
    drawn.push(`  <text class="quiet" x="20" y="${bottom + 14 + at * 15}">${escape(why)}</text>`);
  });
  return drawn;
}

function heightOf({ bars, missing }: Panel): number {
  return 42 + bars.length * STEP + missing.length * 15 + 20;
}

function describe(panels: readonly Panel[]): string {
  return panels.map(({ title, bars, missing }) =>
    `${title}: ${[...bars.map(({ name, runsPerSecond }) => `${name} ${shown(runsPerSecond)}`), ...missing].join("; ")}.`
  ).join(" ");
}

function runtimeName(runtime: string): string {
  return RUNTIMES.find((name) => runtime.startsWith(name)) === "bun" ? "Bun" : "Deno";
}

/** Three significant digits. */
function shown(rate: number): string {
  return Number(rate.toPrecision(3)).toLocaleString("en-US");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
