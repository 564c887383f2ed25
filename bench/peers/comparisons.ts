import type { Workload } from "./adapter.ts";
import type { PlaceKind } from "./places.ts";

/** A peer. */
export interface Peer {
  /** Its npm package or wheel. */
  readonly package: string;
  /** Its module in `adapters/`. */
  readonly adapter: string;
  /** What runs it. */
  readonly runtime: "node" | "python";
  /** What else it needs. */
  readonly needs?: string;
  /** Counts what has ended on Postgres, where its adapter cannot. */
  readonly ended?: string;
  /** How it learns of runs or results, where a figure of few runs in flight says that and not what a run costs. */
  readonly polls?: string;
}

/** All peers. */
export const PEERS = {
  "DBOS": { package: "@dbos-inc/dbos-sdk", adapter: "dbos", runtime: "node" },
  "OpenWorkflow": {
    package: "openworkflow",
    adapter: "openworkflow",
    runtime: "node",
    polls: "its worker looks for runs, and its result() for the end, at intervals",
  },
  "Absurd": {
    package: "absurd-sdk",
    adapter: "absurd",
    runtime: "node",
    needs: "absurdctl",
  },
  "Cloacina": {
    package: "cloaca",
    adapter: "cloacina",
    runtime: "python",
    polls: "its execute() looks for the result twice a second",
    ended: "select count(*) from workflow_executions where status = 'Completed'",
  },
  "graphile-worker": {
    package: "graphile-worker",
    adapter: "graphile_worker",
    runtime: "node",
  },
  "pg-boss": { package: "pg-boss", adapter: "pg_boss", runtime: "node" },
  "BullMQ": { package: "bullmq", adapter: "bullmq", runtime: "node" },
} as const satisfies Record<string, Peer>;

/** The name of a peer. */
export type PeerName = keyof typeof PEERS;

/** How many runs in a round, for each concurrency of a comparison; 0 leaves one out. Fewer where they take long. */
export type Runs = readonly number[];

/** One workload, done by Sluice and by peers in turn, at equal concurrency, on stores that survive the same. */
export interface Comparison {
  readonly workload: Workload;
  /** Runs in flight; of jobs, how many a worker holds at once. */
  readonly flights: readonly number[];
  /** Where Sluice keeps its runs. */
  readonly place: PlaceKind;
  /** Runs of Sluice. */
  readonly runs: Runs;
  /** Who else does it, and where. */
  readonly peers: readonly { readonly peer: PeerName; readonly place: PlaceKind; readonly runs: Runs }[];
}

const FLIGHTS = [1, 10, 100, 300, 1_000];

/** What is compared. Each side is at its best at one of the concurrencies. */
export const COMPARISONS: readonly Comparison[] = [
  {
    workload: "chain of 3",
    flights: FLIGHTS,
    place: "postgres",
    runs: [400, 4_000, 15_000, 20_000, 20_000],
    peers: [
      { peer: "DBOS", place: "postgres", runs: [150, 400, 600, 600, 1_000] },
      { peer: "OpenWorkflow", place: "postgres", runs: [30, 200, 500, 600, 1_000] },
      { peer: "Absurd", place: "postgres", runs: [100, 400, 600, 600, 1_000] },
      { peer: "Cloacina", place: "postgres", runs: [5, 50, 500, 500, 0] },
    ],
  },
  {
    workload: "chain of 3",
    flights: FLIGHTS,
    place: "sqlite",
    runs: [1_500, 10_000, 30_000, 30_000, 30_000],
    peers: [
      { peer: "OpenWorkflow", place: "sqlite", runs: [30, 200, 500, 600, 1_000] },
      { peer: "Cloacina", place: "sqlite", runs: [5, 50, 500, 500, 0] },
    ],
  },
  {
    workload: "1 + 100 + 1",
    flights: [20],
    place: "postgres",
    runs: [500],
    peers: [
      { peer: "DBOS", place: "postgres", runs: [20] },
      { peer: "OpenWorkflow", place: "postgres", runs: [20] },
      { peer: "Absurd", place: "postgres", runs: [20] },
      { peer: "pg-boss", place: "postgres", runs: [20] },
      { peer: "BullMQ", place: "postgres", runs: [20] },
    ],
  },
  {
    workload: "1 + 100 + 1",
    flights: [20],
    place: "sqlite",
    runs: [500],
    peers: [{ peer: "OpenWorkflow", place: "sqlite", runs: [20] }, { peer: "Cloacina", place: "sqlite", runs: [12] }],
  },
  {
    workload: "one-task jobs",
    flights: [500, 1_000, 4_000],
    place: "postgres",
    runs: [40_000, 40_000, 40_000],
    peers: [
      { peer: "graphile-worker", place: "postgres", runs: [40_000, 40_000, 40_000] },
      { peer: "pg-boss", place: "postgres", runs: [40_000, 40_000, 40_000] },
    ],
  },
  {
    workload: "one-task jobs",
    flights: [32, 200, 500],
    place: "postgres",
    runs: [10_000, 20_000, 20_000],
    peers: [
      { peer: "BullMQ", place: "postgres", runs: [1_000, 1_000, 1_000] },
      { peer: "BullMQ", place: "redis, always", runs: [4_000, 4_000, 4_000] },
    ],
  },
  {
    workload: "one-task jobs",
    flights: [32, 200, 500],
    place: "postgres, lazy",
    runs: [10_000, 20_000, 20_000],
    peers: [{ peer: "BullMQ", place: "redis, every second", runs: [10_000, 10_000, 10_000] }],
  },
  {
    workload: "latency of a chain of 3",
    flights: [1],
    place: "postgres",
    runs: [200],
    peers: [
      { peer: "DBOS", place: "postgres", runs: [100] },
      { peer: "OpenWorkflow", place: "postgres", runs: [10] },
      { peer: "Absurd", place: "postgres", runs: [100] },
      { peer: "Cloacina", place: "postgres", runs: [10] },
    ],
  },
  {
    workload: "latency of a chain of 3",
    flights: [1],
    place: "sqlite",
    runs: [200],
    peers: [
      { peer: "OpenWorkflow", place: "sqlite", runs: [10] },
      { peer: "Cloacina", place: "sqlite", runs: [10] },
    ],
  },
];
