import type { Line, Results } from "../results.ts";
import { figures, number, spread } from "./figures.ts";
import { notRun, type Runtime, RUNTIMES } from "./lines.ts";
import { tableOf } from "./table.ts";
import { wrap } from "./wrap.ts";

/** One workload on one store with one durability, at each of the concurrencies that were measured. */
interface Round {
  readonly work: string;
  readonly store: string;
  readonly flights: readonly number[];
  readonly lines: readonly Line[];
}

/** Runs per second of each side at each concurrency, and the ratios to the best peer beside those that are wanted. */
export function peersTables({ results }: Results): string {
  return roundsOf(results).filter(isSweep).map(roundTable).join("\n\n");
}

/** The other work: each peer at the concurrency that is its best. */
export function otherPeersTable({ results }: Results): string {
  const lines = roundsOf(results).filter((round) => !isSweep(round)).flatMap(({ lines }) => lines);
  if (lines.length === 0) return "";
  const matches = groupedBy(lines, ["workload", "store", "peer", "durability"]).map((own) => {
    const rates = own.filter((line) => line["ran"] !== false).map((line) => Number(line["runsPerSecond"]));
    return rates.length === 0 ? own : own.filter((line) => Number(line["runsPerSecond"]) === Math.max(...rates));
  });
  const table = tableOf(
    ["work", "store", "peer", "in flight", "peer's runs / s", "Deno", "Bun", "durability"],
    matches.map((own) => [
      String(own[0]!["workload"]),
      storeName(String(own[0]!["store"])),
      polls(own) ? `${nameOf(own[0]!)} *` : nameOf(own[0]!),
      flightOf(own[0]!),
      anyOf(own, (line) => number(Number(line["runsPerSecond"]))),
      ...RUNTIMES.map((runtime) => shownOf(own, runtime, (line) => `${number(Number(line["ratio"]))} ×`)),
      anyOf(own, guardOf),
    ]),
    ["left", "left", "left", "right", "right", "right", "right", "left"],
  );
  return `Other work, each peer at its best concurrency, and Sluice at the same\n\n${table}`;
}

function roundsOf(results: readonly Line[]): readonly Round[] {
  return roundsIn(results.filter((line) => !isLatency(line)));
}

/** Whether several peers were measured at several concurrencies. */
function isSweep({ flights, lines }: Round): boolean {
  return flights.length > 1 && new Set(lines.map(nameOf)).size > 1;
}

function roundTable(round: Round): string {
  const { work, store, flights, lines } = round;
  const peers = [...Map.groupBy(lines, nameOf)];
  const rows = [
    ...peers.map(([name, own]) => [
      polls(own) ? `${name} *` : name,
      ...flights.map((flight) => rateOf(own.filter((line) => line["inFlight"] === flight))),
      bestOf(own, "runsPerSecond"),
    ]),
    ...RUNTIMES.map((runtime) => {
      const own = lines.filter((line) => isUnder(line, runtime));
      return [
        `Sluice on ${capital(runtime)}`,
        ...flights.map((flight) => sluiceRateOf(own.filter((line) => line["inFlight"] === flight))),
        bestOf(own, "sluiceRunsPerSecond"),
      ];
    }),
    ...RUNTIMES.map((runtime) => [
      `${capital(runtime)} / the best peer`,
      ...flights.map((flight) => ratioToBest(round, runtime, flight)),
      "",
    ]),
  ];
  const label = work === "one-task jobs" ? "held" : "in flight";
  const heading = `${capital(work)}, ${storeName(store)} (${durabilityOf(lines)}): runs per second`;
  const table = tableOf(
    ["", ...flights.map((flight) => `${number(flight)} ${label}`), "best"],
    rows,
    ["left", ...flights.map(() => "right" as const), "right"],
  );
  return `${wrap(heading)}\n\n${table}`;
}

/** The ratio to the best peer at this concurrency, and a mark if it misses what is wanted. */
function ratioToBest({ work, store, lines }: Round, runtime: Runtime, flight: number): string {
  const own = lines.filter((line) => line["inFlight"] === flight && isUnder(line, runtime) && line["ran"] !== false);
  const best = own.reduce<Line | undefined>(
    (best, line) => best === undefined || Number(line["runsPerSecond"]) > Number(best["runsPerSecond"]) ? line : best,
    undefined,
  );
  if (best === undefined) return "–";
  const wanted = wantedOf(work, store, flight);
  const ratio = `${number(Number(best["ratio"]))} ×`;
  if (wanted === undefined) return ratio;
  return Number(best["ratio"]) >= wanted ? `${ratio} (≥ ${wanted})` : `${ratio} (**missed**: ≥ ${wanted})`;
}

/** The targets in relation to the best peer. */
function wantedOf(work: string, store: string, flight: number): number | undefined {
  if (work === "one-task jobs") return store === "postgres" && flight >= 500 ? 1 : undefined;
  if (work !== "chain of 3") return undefined;
  if (store.startsWith("sqlite")) return 60;
  return new Map([[1, 3], [10, 12], [100, 30], [1_000, 40]]).get(flight);
}

/** Every peer at every concurrency, with all that was measured. */
export function peersDetails({ results }: Results): string {
  const rates = results.filter((line) => line["peer"] !== undefined && !isLatency(line));
  const matches = groupedBy(rates, ["workload", "store", "peer", "durability", "inFlight"]);
  return tableOf(
    [
      ...["work", "store", "peer", "in flight", "Deno", "Bun", "peer's runs / s", "Sluice's, Deno / Bun"],
      ...["runs, peer / Sluice", "log bytes per run, peer / Sluice", "transactions per run", "durability"],
    ],
    matches.map((lines) => [
      String(lines[0]!["workload"]),
      storeName(String(lines[0]!["store"])),
      nameOf(lines[0]!),
      flightOf(lines[0]!),
      ...RUNTIMES.map((runtime) => shownOf(lines, runtime, (line) => spread(line, "ratio", number, " ×"))),
      anyOf(lines, (line) => spread(line, "runsPerSecond", number)),
      RUNTIMES.map((runtime) => shownOf(lines, runtime, (line) => figures(line, ["sluiceRunsPerSecond"]))).join(" / "),
      anyOf(lines, (line) => figures(line, ["runs", "sluiceRuns"])),
      anyOf(lines, (line) => figures(line, ["walBytesPerRun", "sluiceWalBytesPerRun"])),
      anyOf(lines, (line) => figures(line, ["transactionsPerRun", "sluiceTransactionsPerRun"])),
      anyOf(lines, guardOf),
    ]),
    ["left", "left", "left", ...Array<"right">(8).fill("right"), "left"],
  );
}

/** How long one run takes on an idle machine; nothing where no program has asked. */
export function peersLatencyTable({ results }: Results): string {
  const latencies = results.filter((line) => line["peer"] !== undefined && isLatency(line));
  const matches = groupedBy(latencies, ["workload", "store", "peer"]);
  if (matches.length === 0) return "";
  const ours = ["sluiceP50Ms", "sluiceP95Ms", "sluiceP99Ms"];
  const heading = "Latency of a chain of 3, one run at a time, p50 / p95 / p99 ms (p50 only of fewer than 100 runs)";
  const table = tableOf(
    ["store", "peer", "peer's", "Sluice's, Deno", "Sluice's, Bun", "durability"],
    matches.map((lines) => [
      storeName(String(lines[0]!["store"])),
      polls(lines) ? `${nameOf(lines[0]!)} *` : nameOf(lines[0]!),
      anyOf(lines, (line) => figures(line, ["p50Ms", "p95Ms", "p99Ms"])),
      ...RUNTIMES.map((runtime) => shownOf(lines, runtime, (line) => figures(line, ours))),
      anyOf(lines, guardOf),
    ]),
    ["left", "left", "right", "right", "right", "left"],
  );
  return `${wrap(heading)}\n\n${table}`;
}

/** The note about marked peers, whose figures depend on their poll interval. */
export function pollingNotes({ results }: Results): string {
  const notes = new Map(
    results.filter(({ peerPolls }) => peerPolls !== undefined)
      .map((line) => [String(line["peer"]), `\\* ${line["peer"]}: ${line["peerPolls"]}.`]),
  );
  if (notes.size === 0) return "";
  return [...notes.values(), "With few runs in flight their figures say how often they look, not what a run costs."]
    .join(" ");
}

/** Programs that failed as a whole. */
export function failuresOf({ results }: Results): string {
  const failed = results.filter((line) => line["ran"] === false && line["peer"] === undefined);
  return failed.map((line) => `- ${line["bench"]} under ${line["runtime"]}: ${notRun(line["why"])}`).join("\n");
}

/** Lines with the same values of these names belong together. */
function groupedBy(lines: readonly Line[], names: readonly string[]): readonly (readonly Line[])[] {
  return [...Map.groupBy(lines, (line) => JSON.stringify(names.map((name) => line[name]))).values()];
}

function isLatency({ workload }: Line): boolean {
  return String(workload).startsWith("latency");
}

function roundsIn(results: readonly Line[]): readonly Round[] {
  const lines = results.filter((line) => line["peer"] !== undefined);
  const groups = Map.groupBy(
    lines,
    (line) => JSON.stringify([line["workload"], line["store"], line["sluiceDurability"], rivals(lines, line)]),
  );
  return [...groups.values()].map((lines) => ({
    work: String(lines[0]!["workload"]),
    store: String(lines[0]!["store"]),
    flights: [...new Set(lines.map((line) => Number(line["inFlight"])))],
    lines,
  }));
}

/** Peers that were measured at the same concurrencies belong into one table. */
function rivals(lines: readonly Line[], { workload, store, peer }: Line): string {
  const own = lines.filter((line) => line["workload"] === workload && line["store"] === store && line["peer"] === peer);
  return JSON.stringify(own.map((line) => line["inFlight"])[0]);
}

function nameOf({ peer, version, peerRuntime }: Line): string {
  const named = [peer, version].filter((part) => part !== undefined).join(" ");
  return peerRuntime === undefined ? named : `${named} (${peerRuntime})`;
}

/** Missing in results before 2026-12. */
function flightOf({ inFlight }: Line): string {
  return inFlight === undefined ? "–" : number(Number(inFlight));
}

function polls(lines: readonly Line[]): boolean {
  return lines.some(({ peerPolls }) => peerPolls !== undefined);
}

function isUnder(line: Line, runtime: Runtime): boolean {
  return String(line["sluiceRuntime"]).startsWith(runtime);
}

function rateOf(lines: readonly Line[]): string {
  if (lines.length === 0) return "–";
  return anyOf(lines, (line) => number(Number(line["runsPerSecond"])));
}

/** Every peer has the same rounds of Sluice beside it. */
function sluiceRateOf(lines: readonly Line[]): string {
  const line = lines.find((line) => line["ran"] !== false);
  return line === undefined ? "–" : number(Number(line["sluiceRunsPerSecond"]));
}

function bestOf(lines: readonly Line[], name: string): string {
  const rates = lines.filter((line) => line["ran"] !== false && line[name] !== undefined).map((line) => +line[name]!);
  return rates.length === 0 ? "–" : number(Math.max(...rates));
}

function anyOf(lines: readonly Line[], show: (line: Line) => string): string {
  const line = lines.find((line) => line["ran"] !== false);
  return line === undefined ? whyNot(lines) : show(line);
}

function shownOf(lines: readonly Line[], runtime: Runtime, show: (line: Line) => string): string {
  const line = lines.find((line) => line["ran"] !== false && isUnder(line, runtime));
  return line === undefined ? whyNot(lines) : show(line);
}

function whyNot(lines: readonly Line[]): string {
  return notRun(lines.find((line) => line["ran"] === false)?.["why"] ?? "no result");
}

/** The durability: of all peers, or of each. */
function durabilityOf(lines: readonly Line[]): string {
  const guards = new Set(lines.filter((line) => line["ran"] !== false).map(guardOf));
  return guards.size === 0 ? "no result" : [...guards].join("; ");
}

/** The durability of the peer, and that of Sluice if it differs. */
function guardOf({ durability, sluiceDurability }: Line): string {
  const theirs = String(durability ?? "");
  return sluiceDurability === undefined || sluiceDurability === durability
    ? theirs
    : `${theirs}; Sluice: ${sluiceDurability}`;
}

function storeName(store: string): string {
  if (store.startsWith("sqlite")) return "SQLite";
  return store === "postgres" ? "Postgres" : capital(store);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
