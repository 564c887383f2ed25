/**
 * Writes what `bench/results/` holds: the tables of `bench/README.md`, between their markers, pages with every figure, and
 * the chart of README.md. Nothing in them is written by hand; a test compares.
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { ceilingTable, matrixTables } from "./report/ceiling.ts";
import { drawChart } from "./report/chart.ts";
import { growthSummary, growthTables } from "./report/growth.ts";
import {
  failuresOf,
  otherPeersTable,
  peersDetails,
  peersLatencyTable,
  peersTables,
  pollingNotes,
} from "./report/peers.ts";
import { workersTable } from "./report/workers.ts";
import { wrap } from "./report/wrap.ts";
import { type Question, QUESTIONS, readResults, type Results } from "./results.ts";

/** The saved results of a question. */
export type Saved = Readonly<Partial<Record<Question, Results>>>;

/** Where the chart is. */
export const CHART = new URL("results/chart.svg", import.meta.url);

/** Where the tables are. */
export const TABLES = new URL("README.md", import.meta.url);

/** Writes all files from the saved results. */
export function writeReport(): void {
  const saved = readSaved();
  writeFileSync(TABLES, fillIn(readFileSync(TABLES, "utf8"), saved));
  mkdirSync(new URL(".", CHART), { recursive: true });
  writeFileSync(CHART, drawChart(saved.peers, saved.ceiling));
  for (const [path, text] of pagesOf(saved)) writeFileSync(new URL(path, import.meta.url), text);
}

/** The saved results of all questions. */
export function readSaved(): Saved {
  const entries = QUESTIONS.map((question) => [question, readResults(question)] as const);
  return Object.fromEntries(entries.filter(([, results]) => results !== undefined));
}

/** The text with the tables between its markers, `<!-- results:NAME -->` and `<!-- /results:NAME -->`. */
export function fillIn(text: string, saved: Saved): string {
  return Object.entries(SECTIONS).reduce((filled, [name, section]) => {
    const [opening, closing] = [`<!-- results:${name} -->`, `<!-- /results:${name} -->`];
    const [from, to] = [filled.indexOf(opening), filled.indexOf(closing)];
    if (from < 0 || to < from) throw new Error(`Cannot write results: ${opening} … ${closing} is not in the text`);
    return `${filled.slice(0, from)}${opening}\n\n${section(saved)}\n\n${filled.slice(to)}`;
  }, text);
}

/** The pages with every figure: path below `bench/`, and text. */
export function pagesOf(saved: Saved): readonly (readonly [path: string, text: string])[] {
  return PAGES.map(([name, title, tables]) => [
    `results/${name}.md`,
    `# ${title}\n\nWritten by \`deno task bench report\`. [How it is measured](../README.md).\n\n${tables(saved)}\n`,
  ]);
}

const SECTIONS: Readonly<Record<string, (saved: Saved) => string>> = {
  ceiling: section("ceiling", (results) => joined(describe(results), ceilingTable(results))),
  peers: section(
    "peers",
    (results) => joined(describe(results), peersTables(results), wrap(pollingNotes(results)), failuresOf(results)),
  ),
  growth: section("growth", (results) => joined(describe(results), growthSummary(results), failuresOf(results))),
  workers: section("workers", (results) => joined(describe(results), workersTable(results), failuresOf(results))),
};

const PAGES: readonly (readonly [name: string, title: string, tables: (saved: Saved) => string])[] = [
  ["matrix", "Sluice beside the ceiling", section("ceiling", (all) => joined(describe(all), matrixTables(all)))],
  [
    "peers",
    "Sluice beside its peers",
    section(
      "peers",
      (all) =>
        joined(
          describe(all),
          otherPeersTable(all),
          peersLatencyTable(all),
          wrap(pollingNotes(all)),
          "Every peer at every concurrency",
          peersDetails(all),
        ),
    ),
  ],
  ["growth", "How cost grows", section("growth", (all) => joined(describe(all), growthTables(all)))],
];

function section(question: Question, tables: (results: Results) => string): (saved: Saved) => string {
  const missing = `Not run: there are no results. \`deno task bench ${question} --save\` makes them.`;
  return (saved) => saved[question] === undefined ? missing : tables(saved[question]);
}

/** When, on what and with what it was measured. */
function describe({ date, quick, sizes, machine, versions }: Results): string {
  const { cpu, cores, memoryGb, os } = machine;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const given = sizes.length === 0 ? "" : ` With \`${sizes.join(" ")}\`.`;
  const small = quick ? " Sizes that show that it works and little more (`--quick`): no figures to rely on." : "";
  return wrap(`${date}; ${cores} × ${cpu}, ${memoryGb} GB, ${os}; ${named}.${given}${small}`);
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("\n\n");
}
