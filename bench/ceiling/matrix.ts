/**
 * How near to the limit: Sluice next to the ceiling loop, on the same work, in turn. Each of what may matter (the shape
 * of the work, how many runs are in flight, how large payloads are) is changed by itself from a centre, and a few corners
 * where two of them meet; all on each kind of store.
 *
 * `deno run -A bench/ceiling/matrix.ts` or `bun bench/ceiling/matrix.ts`; `--store=postgres --rounds=3 --seconds=0.8`,
 * where a round of Sluice takes about so many seconds. One cell only, the rest of which is the centre's: any of `--k=3`,
 * `--width=100`, `--flight=1000`, `--payload=10`; `--runs=20000` instead of what fits the seconds; `--points=4`, the
 * first so many; `--large=65536`.
 *
 * @module
 */
import { flag, isGiven, median, report } from "../measure.ts";
import { durabilityOf, serverUrl, STORES } from "../stores.ts";
import { type Cell, type Round, workloadOf } from "./cell.ts";
import { type Side, startSide } from "./sides.ts";

type Point = Omit<Cell, "store">;

const ROUNDS = flag("rounds", 3);
const SECONDS = flag("seconds", 0.8);
const LARGE = flag("large", 65_536);

const CENTRE: Point = { shape: ["chain", 3], inFlight: 1_000, payloadBytes: 10 };

const POINTS: readonly Point[] = [
  CENTRE,
  { ...CENTRE, inFlight: 1 },
  // The largest fan of a single run, and the longest chain.
  { ...CENTRE, shape: ["fan", 100], inFlight: 1 },
  { ...CENTRE, shape: ["chain", 10] },
  { ...CENTRE, shape: ["chain", 1] },
  { ...CENTRE, shape: ["fan", 100] },
  { ...CENTRE, inFlight: 100 },
  { ...CENTRE, inFlight: 10 },
  { ...CENTRE, payloadBytes: 1_024 },
  { ...CENTRE, payloadBytes: LARGE },
  // The smallest single run, and one with a large payload.
  { ...CENTRE, shape: ["chain", 1], inFlight: 1 },
  { ...CENTRE, inFlight: 1, payloadBytes: LARGE },
  // The most written bytes for one run, with enough runs to share commits.
  { ...CENTRE, shape: ["chain", 10], inFlight: 100, payloadBytes: LARGE },
];

for (const store of STORES) {
  const url = store === "postgres" ? await serverUrl() : undefined;
  const durability = await durabilityOf(store);
  for (const point of chosen()) await measure({ store, ...point }, durability, url);
}

function chosen(): readonly Point[] {
  if (!["k", "width", "flight", "payload"].some(isGiven)) return POINTS.slice(0, flag("points", POINTS.length));
  return [{
    shape: isGiven("width") ? ["fan", flag("width", 100)] : ["chain", flag("k", 3)],
    inFlight: flag("flight", CENTRE.inFlight),
    payloadBytes: flag("payload", CENTRE.payloadBytes),
  }];
}

async function measure(cell: Cell, durability: string, url: string | undefined): Promise<void> {
  await using sluice = startSide("sluice", cell, url);
  await using ceiling = startSide("ceiling", cell, url);
  const runs = await warmUp(cell, sluice, ceiling);
  const rounds: { readonly sluice: Round; readonly ceiling: Round }[] = [];
  for (let at = 0; at < ROUNDS; at++) {
    const request = { runs, countsLog: false };
    // The sides take turns to be first.
    const first = at % 2 === 0 ? undefined : await sluice.round(request);
    const other = await ceiling.round(request);
    rounds.push({ sluice: first ?? await sluice.round(request), ceiling: other });
  }
  const counted = await countLog(cell, sluice, ceiling);
  reportCell(cell, durability, runs, rounds, counted);
}

/** Warms up both sides; returns the number of runs of a round. */
async function warmUp(cell: Cell, sluice: Side, ceiling: Side): Promise<number> {
  const least = leastOf(cell);
  let runs = least;
  // Twice, unless a round is long: compiled code is faster than at first.
  let spentMs = 0;
  for (let at = 0; at < 2 && spentMs < SECONDS * 1_000; at++) {
    const { ms } = await sluice.round({ runs, countsLog: false });
    await ceiling.round({ runs, countsLog: false });
    runs = Math.max(least, Math.round(runs / ms * SECONDS * 1_000));
    spentMs += ms;
  }
  return flag("runs", runs);
}

/** Enough runs to use each place in flight more than once, unless that would write too much. */
function leastOf({ inFlight, shape: [kind], payloadBytes }: Cell): number {
  const few = kind === "fan" ? 20 : 200;
  return Math.max(payloadBytes * inFlight > 10_000_000 ? inFlight : 2 * inFlight, few);
}

interface Counted {
  readonly sluice: number | undefined;
  readonly ceiling: number | undefined;
}

/** Bytes of SQLite's log for each task, measured in a separate round because counting takes time. */
async function countLog(cell: Cell, sluice: Side, ceiling: Side): Promise<Counted> {
  if (cell.store === "postgres") return { sluice: undefined, ceiling: undefined };
  const runs = leastOf(cell);
  const tasks = runs * workloadOf(cell).tasks;
  const bytesOf = async (side: Side): Promise<number> =>
    (await side.round({ runs, countsLog: true })).logBytes! / tasks;
  return { sluice: await bytesOf(sluice), ceiling: await bytesOf(ceiling) };
}

function reportCell(
  cell: Cell,
  durability: string,
  runs: number,
  rounds: readonly { readonly sluice: Round; readonly ceiling: Round }[],
  counted: Counted,
): void {
  const workload = workloadOf(cell);
  const tasks = runs * workload.tasks;
  const ratios = rounds.map(({ sluice, ceiling }) => ceiling.ms / sluice.ms);
  const cpuRatios = rounds.map(({ sluice, ceiling }) => ceiling.cpuMs / sluice.cpuMs);
  report({
    bench: "matrix",
    store: cell.store,
    workload: workload.name,
    inFlight: cell.inFlight,
    payloadBytes: cell.payloadBytes,
    durability,
    runs,
    rounds: rounds.length,
    ratio: median(ratios),
    ratioLeast: Math.min(...ratios),
    ratioMost: Math.max(...ratios),
    // The ratio of CPU times: more reliable while the machine does other work.
    cpuRatio: median(cpuRatios),
    latencyRatio: median(rounds.map(({ sluice, ceiling }) => sluice.p50Ms / ceiling.p50Ms)),
    ...figures("sluice", rounds.map(({ sluice }) => sluice), counted.sluice),
    ...figures("ceiling", rounds.map(({ ceiling }) => ceiling), counted.ceiling),
  });

  function figures(who: string, of: readonly Round[], logBytes: number | undefined): Record<string, number> {
    const middle = (what: (round: Round) => number): number => median(of.map(what));
    const rates = of.map(({ ms }) => Math.round(runs / ms * 1_000));
    return {
      [`${who}RunsPerSecond`]: median(rates),
      [`${who}RunsPerSecondLeast`]: Math.min(...rates),
      [`${who}RunsPerSecondMost`]: Math.max(...rates),
      [`${who}P50Ms`]: middle(({ p50Ms }) => p50Ms),
      [`${who}P95Ms`]: middle(({ p95Ms }) => p95Ms),
      [`${who}P99Ms`]: middle(({ p99Ms }) => p99Ms),
      [`${who}CpuMicrosPerTask`]: middle(({ cpuMs }) => cpuMs * 1_000 / tasks),
      [`${who}MemoryGrowthMb`]: Math.max(...of.map(({ memoryGrowthMb }) => memoryGrowthMb)),
      [`${who}CommitsPerTask`]: middle(({ commits }) => commits / tasks),
      [`${who}StatementsPerTask`]: middle(({ statements }) => statements / tasks),
      [`${who}RowsPerTask`]: middle(({ rows }) => rows / tasks),
      [`${who}WalBytesPerTask`]: logBytes ?? middle((round) => round.logBytes! / tasks),
    };
  }
}
