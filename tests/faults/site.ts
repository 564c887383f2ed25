import { assert, assertEquals } from "@std/assert";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type AnyWorkflow, type Client, createClient } from "../../mod.ts";
import type { Row } from "../../lib/store/shared/decode.ts";
import { type Child, ended, type Exit, spawn } from "../child.ts";
import { readEffects, writeEnd } from "../crash/effects.ts";
import { crashWorkflows, nowhere } from "../crash/workflows.ts";
import { tempDir } from "../temp_dir.ts";
import {
  auditOf,
  type Evidence,
  FEWEST_RUNS,
  wrongConnections,
  wrongEffects,
  wrongRows,
  wrongRuns,
  wrongWords,
} from "./checks.ts";
import { HANG_MS, within } from "../within.ts";
import { passes } from "../passes.ts";
import { openWitness } from "./witness.ts";
import { enoughOf, type WorkerConfig } from "./worker.ts";

/** How long each test injects faults, in milliseconds; a longer time makes it a soak test. */
export const FAULTS_MS: number = Number(process.env["SLUICE_FAULT_SECONDS"] ?? 3) * 1_000;

/** A schema, the processes on it and the log of their effects; disposal ends the processes and drops the schema. */
export interface Site extends AsyncDisposable {
  /** The schema. */
  readonly schema: string;
  /** A client in this process. */
  readonly client: Client<AnyWorkflow>;
  /** Starts a worker. */
  worker(config?: Partial<WorkerConfig>): Child;
  /** Resolves once a worker is open. */
  ready(worker: Child): Promise<void>;
  /** Kills a worker. */
  kill(worker: Child): Promise<Exit>;
  /** Records that others may take over from a live worker from here on. */
  giveUp(worker: Child): void;
  /** Stops a worker, and asserts that it exits by itself without an error. */
  stop(worker: Child): Promise<Exit>;
  /** Executes a statement without the store; tables are written as `@runs`. */
  ask(sql: string): Promise<readonly Row[]>;
  /** Waits until a query returns no rows; throws if that takes too long. */
  settled(what: string, sql: string): Promise<void>;
  /** Returns how many runs have ended. */
  ended(): Promise<number>;
  /** Returns the bodies and steps that began more than once. */
  repeated(): string[];
  /**
   * Waits for the end of all runs, stops the remaining workers, and returns descriptions of faults: runs that were
   * reported as durable and do not exist or have not ended as they must, results that changed after they had been
   * accepted, superfluous attempts, unexpected effects, leftover rows and connections, and errors in the output of
   * workers.
   */
  finish(): Promise<string[]>;
}

interface Known {
  readonly child: Child;
  readonly isLoading: boolean;
  ready: Promise<unknown> | undefined;
  isOver: boolean;
  isGivenUp: boolean;
}

/** Opens an empty site: the library connects through `url`; the test connects through `direct`, without a proxy. */
export async function openSite(url: string, direct: string = url): Promise<Site> {
  const schema = `faults_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
  const dir = tempDir();
  const log = join(dir.path, "effects.log");
  const witness = openWitness(direct, schema);
  const client = await createClient(url, { schema, workflows: Object.values(crashWorkflows(nowhere)) });
  for (const sql of auditOf(schema)) await witness.ask(sql, []);
  const workers: Known[] = [];
  return {
    schema,
    client,
    worker(config = {}) {
      const child = spawn("./faults/worker.ts", [JSON.stringify({ url, direct, schema, log, ...config })]);
      workers.push({ child, isLoading: config.load === true, ready: undefined, isOver: false, isGivenUp: false });
      return child;
    },
    async ready(worker) {
      await (of(worker).ready ??= worker.until("ready"));
    },
    kill(worker) {
      writeEnd(log, "kill", worker.pid);
      of(worker).isOver = true;
      worker.kill("SIGKILL");
      return worker.exited;
    },
    giveUp(worker) {
      writeEnd(log, "kill", worker.pid);
      of(worker).isGivenUp = true;
    },
    stop,
    ask,
    settled,
    ended: async () => Number((await ask("select count(*) as n from @runs where ended_at is not null"))[0]!["n"]),
    repeated() {
      const seen = new Set<string>();
      return readEffects(log).flatMap(({ kind, runId, unit, attempt }) => {
        const name = `${runId} ${unit} ${attempt}`;
        if (kind !== "begin" || !seen.has(name)) return (kind === "begin" && seen.add(name), []);
        return [name];
      });
    },
    finish,
    async [Symbol.asyncDispose]() {
      for (const { child } of workers) await child[Symbol.asyncDispose]();
      await client.stop();
      await witness.ask(`drop schema if exists "${schema}" cascade`, []);
      await witness.close();
      dir[Symbol.dispose]();
    },
  };

  function of(worker: Child): Known {
    return workers.find(({ child }) => child === worker)!;
  }

  async function stop(worker: Child): Promise<Exit> {
    writeEnd(log, "stop", worker.pid);
    of(worker).isOver = true;
    worker.kill("SIGTERM");
    const exit = await ended(worker);
    assertEquals({ code: exit.code, signal: exit.signal }, { code: 0, signal: null }, exit.stderr);
    return exit;
  }

  function ask(sql: string): Promise<readonly Row[]> {
    return witness.ask(sql, []);
  }

  async function finish(): Promise<string[]> {
    const living = workers.filter(({ isOver }) => !isOver);
    if (living.some(({ isLoading }) => isLoading)) {
      // On a slow machine the faults may end before there has been much load.
      await settled("the load", `select 1 from @runs having count(*) < ${FEWEST_RUNS}`);
    }
    writeFileSync(enoughOf(log), "");
    for (const { child, isLoading } of living) {
      if (isLoading) await within("the end of the load", child.until("no more load"));
    }
    await settled("the end of all runs", "select id, state, owner from @runs where ended_at is null limit 5");
    assert(existsSync(log), "no body ever ran");
    // Live runners have to detect the killed ones.
    const pids = living.map(({ child }) => child.pid).join(",");
    await settled("the burial of the dead", `select id, pid from @runners where pid <> all('{${pids}}'::bigint[])`);
    for (const { child } of living) await stop(child);
    const exits = await Promise.all(workers.map(({ child }) => child.exited));
    const durable = exits.flatMap(({ stdout }) => [...stdout.matchAll(/^durable (.+)$/gm)].map(([, id]) => id!));
    const givenUp = workers.flatMap(({ child, isGivenUp }) => isGivenUp ? [child.pid] : []);
    const evidence: Evidence = { schema, client, ask, effects: readEffects(log), exits, durable, givenUp };
    const wrong = [
      ...await wrongRuns(evidence),
      ...await wrongRows(evidence),
      ...await wrongEffects(evidence),
      ...wrongWords(evidence),
      ...await wrongConnections(evidence, 5),
    ];
    await client.stop();
    return [...wrong, ...await wrongConnections(evidence, 0)];
  }

  /** Waits until a query returns no rows. */
  async function settled(what: string, sql: string): Promise<void> {
    for (const deadline = performance.now() + HANG_MS;;) {
      const rows = await ask(sql);
      if (rows.length === 0) return;
      if (performance.now() > deadline) throw new Error(`Hangs: ${what}: ${JSON.stringify(rows)}`);
      await passes(20);
    }
  }
}

/** Returns whether faults continue: for the configured time, and on a slow machine until there were `fewest`. */
export function faultsGoOn(fewest: number): (count: number) => boolean {
  const until = performance.now() + FAULTS_MS;
  return (count) => performance.now() < until || count < fewest;
}
