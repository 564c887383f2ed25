/**
 * How far ahead of the others: the same work done by Sluice, under Deno and under Bun, and by its peers, one after the
 * other and round after round, each in a process of its own and each round on an empty database.
 *
 * `deno run -A bench/peers/main.ts`; `--rounds=3 --scale=1 --peer=DBOS --store=postgres --workload=chain`. What it needs
 * it installs at its first start.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { flag, median, quantile, report } from "../measure.ts";
import type { Workload } from "./adapter.ts";
import { type Comparison, COMPARISONS, type Peer, type PeerName, PEERS } from "./comparisons.ts";
import { install } from "./install.ts";
import { type OwnPlace, ownPlace, type PlaceKind, unavailable, type Written } from "./places.ts";
import type { Reply } from "./serve.ts";
import { type Side, startSide } from "./side.ts";

const ROUNDS = flag("rounds", 3);
const SCALE = flag("scale", 1);
const SERVE = fileURLToPath(new URL("serve.ts", import.meta.url));
const CLOACINA = fileURLToPath(new URL("adapters/cloacina.py", import.meta.url));
const TASKS: Record<Workload, number> = {
  "chain of 3": 3,
  "latency of a chain of 3": 3,
  "one-task jobs": 1,
  "1 + 100 + 1": 102,
};

/** Fewer samples have a median and no other percentile. */
const LEAST_SAMPLES = 100;

/** A contestant of a comparison. */
interface Contestant {
  readonly name: string;
  readonly place: PlaceKind;
  readonly runs: number;
  readonly command: readonly string[];
  readonly version: string;
  /** What runs it; with its version as soon as it has told that. */
  runtime: string;
  readonly peer?: Peer;
  /** Why it does not, or does not any more. */
  why?: string;
  side?: Side;
  durability?: string;
  readonly rounds: Measured[];
}

/** The figures of one round of one contestant. */
interface Measured {
  readonly runsPerSecond: number;
  readonly eachMs: readonly number[];
  readonly written: Written | undefined;
}

const { commands, env, missing, versions } = install();

for (const comparison of COMPARISONS) {
  const peers = comparison.peers.filter(({ peer, place }) =>
    isChosen("peer", peer) && isChosen("store", place) && isChosen("workload", comparison.workload)
  );
  if (peers.length === 0) continue;
  for (const flight of comparison.flights) await compare({ ...comparison, peers }, flight);
}
process.exit();

function isChosen(name: string, value: string): boolean {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
  return given === undefined || value.toLowerCase().startsWith(given.toLowerCase());
}

async function compare(comparison: Comparison, flight: number): Promise<void> {
  const at = comparison.flights.indexOf(flight);
  const sluices = ["deno", "bun"].map((runtime) => sluiceUnder(runtime, comparison.place, comparison.runs[at]!));
  const peers = comparison.peers.filter(({ runs }) => runs[at] !== 0)
    .map(({ peer, place, runs }) => contestant(peer, place, runs[at]!));
  const all = [...peers, ...sluices];
  // One round more than counted: the first warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (let at = 0; at < all.length; at++) {
      // Another one begins each round.
      const one = all[(at + round) % all.length]!;
      if (one.why !== undefined) continue;
      try {
        const measured = await measure(one, comparison.workload, flight);
        if (round > 0) one.rounds.push(measured);
      } catch (error) {
        one.why = briefly(error);
        if (one.peer === undefined) process.exitCode = 1;
        await one.side?.[Symbol.asyncDispose]();
      }
    }
  }
  for (const { side, why } of all) if (why === undefined) await side?.[Symbol.asyncDispose]();
  for (const peer of peers) for (const sluice of sluices) tell(comparison.workload, flight, peer, sluice);
}

function sluiceUnder(runtime: string, place: PlaceKind, runs: number): Contestant {
  const deno = "Deno" in globalThis ? process.execPath : "deno";
  const command = runtime === "deno" ? [deno, "run", "-A", "--no-check", "--quiet"] : ["bun"];
  return {
    name: "Sluice",
    place,
    runs: scaled(runs),
    command: [...command, SERVE, "sluice"],
    version: "",
    runtime,
    rounds: [],
  };
}

function contestant(name: PeerName, place: PlaceKind, runs: number): Contestant {
  const peer: Peer = PEERS[name];
  const command = {
    node: [commands.node, "--disable-warning=ExperimentalWarning", SERVE, peer.adapter],
    python: [commands.python, CLOACINA],
  }[peer.runtime];
  const why = missing[peer.package] ?? missing[peer.needs ?? ""] ?? unavailable(place);
  const version = versions[peer.package] ?? "";
  return {
    name,
    place,
    runs: scaled(runs),
    command,
    version,
    runtime: peer.runtime,
    peer,
    rounds: [],
    ...(why === undefined ? {} : { why }),
  };
}

/** The first line of an error: some peers print very long ones. */
function briefly(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n", 1)[0]!.slice(0, 300);
}

function scaled(runs: number): number {
  return Math.max(1, Math.round(runs * SCALE));
}

async function measure(one: Contestant, workload: Workload, flight: number): Promise<Measured> {
  const side = one.side ??= startSide(one.command, one.peer === undefined ? {} : env[one.peer.runtime]);
  await using own = await ownPlace(one.place);
  one.durability = own.durability;
  const opened = await side.ask({ do: "open", workload, place: own.place, flight });
  one.runtime = opened.runtime ?? one.runtime;
  const before = await own.written();
  const isLatency = workload.startsWith("latency");
  const reply = await side.ask({ do: isLatency ? "one by one" : "carry", runs: one.runs });
  const after = await own.written();
  await check(one, workload, own, reply);
  await side.ask({ do: "close" });
  return {
    runsPerSecond: one.runs / reply.ms! * 1_000,
    eachMs: reply.each ?? [],
    written: before && after && {
      walBytes: (after.walBytes - before.walBytes) / one.runs,
      transactions: (after.transactions - before.transactions) / one.runs,
    },
  };
}

/** A figure counts only if all the work was done. */
async function check(one: Contestant, workload: Workload, own: OwnPlace, reply: Reply): Promise<void> {
  const ended = reply.ended ?? await own.count(one.peer!.ended!);
  const bodies = one.runs * TASKS[workload];
  if (ended === one.runs && reply.bodies! >= bodies) return;
  throw new Error(`Of ${one.runs} runs ${ended} had ended, and ${reply.bodies} bodies of ${bodies} had run`);
}

function tell(workload: Workload, inFlight: number, peer: Contestant, sluice: Contestant): void {
  const what = {
    bench: "peers",
    workload,
    inFlight,
    store: peer.place.split(",")[0],
    peer: peer.name,
    version: peer.version,
    peerRuntime: peer.runtime,
    ...(peer.peer?.polls === undefined ? {} : { peerPolls: peer.peer.polls }),
    sluiceRuntime: sluice.runtime,
  };
  const why = peer.why ?? (sluice.why && `Sluice under ${sluice.runtime}: ${sluice.why}`);
  if (why !== undefined) return report({ ...what, ran: false, why });
  const isLatency = workload.startsWith("latency");
  const ratios = peer.rounds.map((round, at) =>
    isLatency
      ? median(round.eachMs) / median(sluice.rounds[at]!.eachMs)
      : sluice.rounds[at]!.runsPerSecond / round.runsPerSecond
  );
  report({
    ...what,
    ...(isLatency ? latency(peer, sluice) : throughput(peer, sluice)),
    ratio: median(ratios),
    ratioLeast: Math.min(...ratios),
    ratioMost: Math.max(...ratios),
    durability: peer.durability,
    sluiceStore: sluice.place.split(",")[0],
    sluiceDurability: sluice.durability,
    runs: peer.runs,
    sluiceRuns: sluice.runs,
    ...written(peer, ""),
    ...written(sluice, "sluice"),
    ran: true,
  });
}

function throughput(peer: Contestant, sluice: Contestant): Record<string, number> {
  const theirs = peer.rounds.map(({ runsPerSecond }) => runsPerSecond);
  return {
    runsPerSecond: median(theirs),
    runsPerSecondLeast: Math.min(...theirs),
    runsPerSecondMost: Math.max(...theirs),
    sluiceRunsPerSecond: median(sluice.rounds.map(({ runsPerSecond }) => runsPerSecond)),
  };
}

function latency(peer: Contestant, sluice: Contestant): Record<string, number> {
  const [theirs, ours] = [peer, sluice].map(({ rounds }) => rounds.flatMap(({ eachMs }) => eachMs));
  return {
    p50Ms: quantile(theirs!, 0.5),
    ...(theirs!.length < LEAST_SAMPLES ? {} : { p95Ms: quantile(theirs!, 0.95), p99Ms: quantile(theirs!, 0.99) }),
    sluiceP50Ms: quantile(ours!, 0.5),
    sluiceP95Ms: quantile(ours!, 0.95),
    sluiceP99Ms: quantile(ours!, 0.99),
  };
}

function written({ rounds }: Contestant, whose: "" | "sluice"): Record<string, number> {
  const all = rounds.flatMap(({ written }) => written ?? []);
  if (all.length === 0) return {};
  const walBytes = median(all.map(({ walBytes }) => walBytes));
  const transactions = median(all.map(({ transactions }) => transactions));
  return whose === ""
    ? { walBytesPerRun: walBytes, transactionsPerRun: transactions }
    : { sluiceWalBytesPerRun: walBytes, sluiceTransactionsPerRun: transactions };
}
