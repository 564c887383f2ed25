import type { Workload } from "./adapter.ts";
import type { PlaceKind } from "./places.ts";

/** Somebody to compare with. */
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
}

/** Who there is. */
export const PEERS = {
  "DBOS": { package: "@dbos-inc/dbos-sdk", adapter: "dbos", runtime: "node" },
  "OpenWorkflow": {
    package: "openworkflow",
    adapter: "openworkflow",
    runtime: "node",
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

/** One workload, done by Sluice and by peers in turn, on stores that survive the same. */
export interface Comparison {
  readonly workload: Workload;
  /** Where Sluice keeps its runs. */
  readonly place: PlaceKind;
  /** Runs of Sluice in a round. */
  readonly runs: number;
  /** Who else does it, where, and how many runs of it in a round: fewer where they take long. */
  readonly peers: readonly {
    readonly peer: PeerName;
    readonly place: PlaceKind;
    readonly runs: number;
  }[];
}

/** What is compared. */
export const COMPARISONS: readonly Comparison[] = [
  {
    workload: "chain of 3",
    place: "postgres",
    runs: 20_000,
    peers: [
      { peer: "DBOS", place: "postgres", runs: 1_000 },
      { peer: "OpenWorkflow", place: "postgres", runs: 500 },
      { peer: "Absurd", place: "postgres", runs: 1_000 },
      { peer: "Cloacina", place: "postgres", runs: 100 },
    ],
  },
  {
    workload: "chain of 3",
    place: "sqlite",
    runs: 20_000,
    peers: [{ peer: "OpenWorkflow", place: "sqlite", runs: 500 }, { peer: "Cloacina", place: "sqlite", runs: 100 }],
  },
  {
    workload: "1 + 100 + 1",
    place: "postgres",
    runs: 500,
    peers: [
      { peer: "DBOS", place: "postgres", runs: 20 },
      { peer: "OpenWorkflow", place: "postgres", runs: 10 },
      { peer: "Absurd", place: "postgres", runs: 20 },
      { peer: "pg-boss", place: "postgres", runs: 20 },
      { peer: "BullMQ", place: "postgres", runs: 20 },
    ],
  },
  {
    workload: "1 + 100 + 1",
    place: "sqlite",
    runs: 500,
    peers: [{ peer: "OpenWorkflow", place: "sqlite", runs: 10 }, { peer: "Cloacina", place: "sqlite", runs: 2 }],
  },
  {
    workload: "one-task jobs",
    place: "postgres",
    runs: 20_000,
    peers: [
      { peer: "graphile-worker", place: "postgres", runs: 20_000 },
      { peer: "pg-boss", place: "postgres", runs: 20_000 },
      { peer: "BullMQ", place: "postgres", runs: 1_000 },
      { peer: "BullMQ", place: "redis, always", runs: 5_000 },
    ],
  },
  {
    workload: "one-task jobs",
    place: "postgres, lazy",
    runs: 20_000,
    peers: [{ peer: "BullMQ", place: "redis, every second", runs: 10_000 }],
  },
  {
    workload: "latency of a chain of 3",
    place: "postgres",
    runs: 200,
    peers: [
      { peer: "DBOS", place: "postgres", runs: 100 },
      { peer: "OpenWorkflow", place: "postgres", runs: 3 },
      { peer: "Absurd", place: "postgres", runs: 100 },
      { peer: "Cloacina", place: "postgres", runs: 4 },
    ],
  },
  {
    workload: "latency of a chain of 3",
    place: "sqlite",
    runs: 200,
    peers: [{ peer: "OpenWorkflow", place: "sqlite", runs: 3 }, { peer: "Cloacina", place: "sqlite", runs: 4 }],
  },
];
