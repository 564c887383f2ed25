import type { Line, Results } from "../results.ts";
import { figures, number, spread } from "./figures.ts";
import { notRun, type Runtime, RUNTIMES } from "./lines.ts";
import { tableOf } from "./table.ts";

/** One peer at one work, with what Sluice did beside it in each runtime. */
interface Match {
  readonly work: string;
  readonly store: string;
  readonly peer: string;
  readonly lines: readonly Line[];
}

/** What DESIGN wants of Sluice beside each peer. */
export function peersTable({ results }: Results): string {
  const rates = matchesIn(results.filter((line) => !isLatency(line)));
  return tableOf(
    [
      ...[
        "work",
        "store",
        "peer",
        "Deno",
        "Bun",
        "wanted",
        "peer's runs / s",
        "Sluice's, Deno / Bun",
        "runs, peer / Sluice",
      ],
      ...["log bytes per run, peer / Sluice", "transactions per run", "durability"],
    ],
    rates.map((match) => [
      match.work,
      storeName(match.store),
      match.peer,
      ...RUNTIMES.map((runtime) => ratioOf(match, runtime)),
      wantedOf(match),
      anyOf(match, (line) => spread(line, "runsPerSecond", number)),
      RUNTIMES.map((runtime) => ratesOf(match, runtime)).join(" / "),
      anyOf(match, (line) => figures(line, ["runs", "sluiceRuns"])),
      anyOf(match, (line) => figures(line, ["walBytesPerRun", "sluiceWalBytesPerRun"])),
      anyOf(match, (line) => figures(line, ["transactionsPerRun", "sluiceTransactionsPerRun"])),
      anyOf(match, durabilityOf),
    ]),
    ["left", "left", "left", ...Array<"right">(8).fill("right"), "left"],
  );
}

/** How long one run takes on an idle machine; nothing where no program has asked. */
export function peersLatencyTable({ results }: Results): string {
  const latencies = matchesIn(results.filter(isLatency));
  if (latencies.length === 0) return "";
  const ours = ["sluiceP50Ms", "sluiceP95Ms", "sluiceP99Ms"];
  return tableOf(
    ["work", "store", "peer", "peer's p50 / p95 / p99 ms", "Sluice's, Deno", "Sluice's, Bun", "durability"],
    latencies.map((match) => [
      match.work,
      storeName(match.store),
      match.peer,
      anyOf(match, (line) => figures(line, ["p50Ms", "p95Ms", "p99Ms"])),
      ...RUNTIMES.map((runtime) => {
        const line = lineOf(match, runtime);
        return line === undefined ? whyNot(match) : figures(line, ours);
      }),
      anyOf(match, durabilityOf),
    ]),
    ["left", "left", "left", "right", "right", "right", "left"],
  );
}

/** Programs that have failed as a whole. */
export function failuresOf({ results }: Results): string {
  const failed = results.filter((line) => line["ran"] === false && line["peer"] === undefined);
  return failed.map((line) => `- ${line["bench"]} under ${line["runtime"]}: ${notRun(line["why"])}`).join("\n");
}

function isLatency({ workload }: Line): boolean {
  return String(workload).startsWith("latency");
}

function matchesIn(results: readonly Line[]): readonly Match[] {
  const lines = results.filter((line) => line["peer"] !== undefined);
  const groups = Map.groupBy(
    lines,
    (line) => JSON.stringify([line["workload"], line["store"], line["peer"], line["durability"]]),
  );
  return [...groups.values()].map((lines) => {
    const { workload, store, peer, version, peerRuntime } = lines[0]!;
    const runtime = peerRuntime === undefined ? "" : ` (${peerRuntime})`;
    const named = [peer, version].filter((part) => part !== undefined).join(" ");
    return { work: String(workload ?? "all"), store: String(store ?? ""), peer: `${named}${runtime}`, lines };
  });
}

function lineOf({ lines }: Match, runtime: Runtime): Line | undefined {
  return lines.find((line) => line["ran"] !== false && String(line["sluiceRuntime"]).startsWith(runtime));
}

function ratioOf(match: Match, runtime: Runtime): string {
  const line = lineOf(match, runtime);
  return line === undefined ? whyNot(match) : spread(line, "ratio", number, " ×");
}

function ratesOf(match: Match, runtime: Runtime): string {
  const line = lineOf(match, runtime);
  return line === undefined ? "–" : figures(line, ["sluiceRunsPerSecond"]);
}

function anyOf(match: Match, show: (line: Line) => string): string {
  const line = match.lines.find((line) => line["ran"] !== false);
  return line === undefined ? "–" : show(line);
}

function whyNot({ lines }: Match): string {
  return notRun(lines.find((line) => line["ran"] === false)?.["why"] ?? "no result");
}

/** What a commit survives with the peer, and with Sluice if that is written in another way. */
function durabilityOf({ durability, sluiceDurability }: Line): string {
  const theirs = String(durability ?? "");
  return sluiceDurability === undefined || sluiceDurability === durability
    ? theirs
    : `${theirs}; Sluice: ${sluiceDurability}`;
}

function wantedOf({ work, store, peer }: Match): string {
  const isSqlite = store.startsWith("sqlite");
  if (/graphile/i.test(peer)) return "≥ 1 ×";
  if (work !== "chain of 3") return "";
  if (/cloacina/i.test(peer)) return isSqlite ? "≥ 200 ×" : "";
  return isSqlite ? "≥ 50 ×" : "≥ 30 ×";
}

function storeName(store: string): string {
  if (store.startsWith("sqlite")) return "SQLite";
  return store === "postgres" ? "Postgres" : store;
}
