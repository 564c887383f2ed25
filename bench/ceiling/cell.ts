import type { DynamicWorkflow } from "../../mod.ts";
import type { StoreKind } from "../stores.ts";
import { chain, fan } from "../workloads.ts";

/** One combination of the parameters of the matrix. */
export interface Cell {
  /** Where runs are kept. */
  readonly store: StoreKind;
  /** A chain of so many tasks, or a fan-out as wide between one task and another. */
  readonly shape: readonly ["chain" | "fan", number];
  /** Runs at once. */
  readonly inFlight: number;
  /** Of the input, and of the output of each task. */
  readonly payloadBytes: number;
}

/** A request to a side. */
export interface Request {
  /** How many runs. */
  readonly runs: number;
  /** Whether to count what goes to SQLite's write-ahead log, which takes time. */
  readonly countsLog: boolean;
}

/** The figures of a round. */
export interface Round {
  /** Wall time. */
  readonly ms: number;
  /** Time of the process on all of its threads. */
  readonly cpuMs: number;
  /** From the call to the end of a run. */
  readonly p50Ms: number;
  /** The same. */
  readonly p95Ms: number;
  /** The same. */
  readonly p99Ms: number;
  /** Most memory so far (RSS) beyond that before the first run. */
  readonly memoryGrowthMb: number;
  /** Transactions that wrote. */
  readonly commits: number;
  /** Statements, `begin` and `commit` left out. */
  readonly statements: number;
  /** Rows written. */
  readonly rows: number;
  /** Bytes that went to the write-ahead log; for SQLite only when asked for. */
  readonly logBytes: number | undefined;
}

/** The same work for Sluice and for the ceiling loop. */
export interface Workload {
  /** As results call it. */
  readonly name: string;
  /** How many tasks there are side by side, each after all of the stage before. */
  readonly stages: readonly number[];
  /** How many tasks a run has. */
  readonly tasks: number;
  /** For Sluice. */
  readonly workflow: DynamicWorkflow<string>;
}

/** The workload of a cell. */
export function workloadOf({ shape: [kind, size] }: Pick<Cell, "shape">): Workload {
  return kind === "chain"
    ? { name: `chain of ${size}`, stages: Array<number>(size).fill(1), tasks: size, workflow: chain(size) }
    : { name: `1 + ${size} + 1`, stages: [1, size, 1], tasks: size + 2, workflow: fan(size) };
}
