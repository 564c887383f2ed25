import { assert, assertEquals } from "@std/assert";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { type AnyWorkflow, type Client, createClient } from "../../mod.ts";
import { type Child, ended, type Exit, spawn } from "../child.ts";
import { emptyStore } from "../empty_store.ts";
import { isWriteLocked, type Place, type Row } from "../place.ts";
import { passes } from "../passes.ts";
import { tempDir } from "../temp_dir.ts";
import { JOURNAL } from "../journal.ts";
import { type Effect, gateOf, readEffects, writeEnd, wrongIn } from "./effects.ts";
import type { WorkerConfig } from "./worker.ts";
import { crashWorkflows, needsOf, nowhere } from "./workflows.ts";

/** A store, the processes on it and the log of their effects; disposal ends the processes and deletes the rest. */
export interface Site extends AsyncDisposable {
  /** The location of the store. */
  readonly place: Place;
  /** The effect log. */
  readonly log: string;
  /** A client in this process. */
  readonly client: Client<AnyWorkflow>;
  /** Starts a worker. */
  worker(config?: Partial<WorkerConfig>): Child;
  /** Starts another script of this folder, with the place as JSON in its first argument. */
  process(script: string, ...args: string[]): Child;
  /** Opens a gate, so that the bodies that wait at it continue. */
  openGate(name?: string): void;
  /** Kills a worker. */
  kill(worker: Child): Promise<Exit>;
  /** Suspends a worker; on SQLite not during a transaction, because its lock would block all other processes. */
  freeze(worker: Child): Promise<void>;
  /** Stops a worker, and asserts that it exits by itself without an error. */
  stop(worker: Child): Promise<Exit>;
  /** Returns the effects of bodies, of all runs or of one. */
  effects(runId?: string): Effect[];
  /** Returns the tasks and steps of a run that began, in order. */
  begun(runId: string): string[];
  /** Returns the rows of a query. */
  query(sql: string): Promise<readonly Row[]>;
  /**
   * Returns descriptions of faults, once every run should have ended and every worker has exited: unexpected effects,
   * runs that have not ended, leftover rows, and errors in the output of workers.
   */
  wrong(): Promise<string[]>;
}

/** Opens an empty site; `clock` is the clock of its client. */
export async function openSite(clock?: Clock): Promise<Site> {
  const dir = tempDir();
  const store = emptyStore();
  const place: Place = { url: store.url, options: store.options };
  const log = join(dir.path, "effects.log");
  const client = await createClient(place.url, {
    ...place.options,
    workflows: Object.values(crashWorkflows(nowhere)),
    ...(clock === undefined ? {} : { clock }),
  });
  const children: Child[] = [];
  return {
    place,
    log,
    client,
    worker: (config = {}) => remember(spawn("./crash/worker.ts", [JSON.stringify({ place, log, ...config })])),
    process: (script, ...args) => remember(spawn(`./crash/${script}`, [JSON.stringify(place), ...args])),
    openGate: (name) => writeFileSync(gateOf(log, name), ""),
    kill(worker) {
      writeEnd(log, "kill", worker.pid);
      worker.kill("SIGKILL");
      return worker.exited;
    },
    async freeze(worker) {
      worker.kill("SIGSTOP");
      while (isWriteLocked(place)) {
        worker.kill("SIGCONT");
        await passes(5);
        worker.kill("SIGSTOP");
      }
    },
    async stop(worker) {
      writeEnd(log, "stop", worker.pid);
      worker.kill("SIGTERM");
      const exit = await ended(worker);
      assertEquals({ code: exit.code, signal: exit.signal }, { code: 0, signal: null }, exit.stderr);
      return exit;
    },
    effects,
    begun: (runId) => effects(runId).flatMap(({ kind, unit }) => kind === "begin" ? [unit] : []),
    query: store.query,
    wrong,
    async [Symbol.asyncDispose]() {
      for (const child of children) await child[Symbol.asyncDispose]();
      await client.stop();
      await store[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };

  function remember(child: Child): Child {
    children.push(child);
    return child;
  }

  function effects(runId?: string): Effect[] {
    return readEffects(log).filter((effect) => runId === undefined || effect.runId === runId);
  }

  async function wrong(): Promise<string[]> {
    assert(existsSync(log), "no body ever ran");
    const workflowOf = new Map(
      (await store.query("select id, workflow from runs")).map((row) => [row["id"], String(row["workflow"])]),
    );
    const strays = effects().filter(({ runId }) => runId !== "-" && !workflowOf.has(runId));
    const wrong = strays.map(({ runId }) => `run ${runId} had effects and is not there`);
    if (wrong.length > 0) return wrong;
    wrong.push(...wrongIn(effects(), (runId, unit) => needsOf(workflowOf.get(runId)!, unit)));
    for (const { id, state } of await store.query("select id, state from runs where ended_at is null")) {
      wrong.push(`run ${id} is ${state}`);
    }
    for (const { id, owner } of await store.query("select id, owner from runs where owner is not null")) {
      wrong.push(`run ${id} belongs to runner ${owner}`);
    }
    for (const { id } of await store.query("select id from runners")) wrong.push(`runner ${id} is left over`);
    // A run that failed because of its crashes keeps the rows that its dead runners wrote; they are read as cancelled.
    const open = `
      select runs.id, task, journal.state
        from ${JOURNAL} join runs on run = seq
       where runs.state in ('completed', 'failed') and coalesce(runs.error, '') not like '%"recovery_limit"%'
         and journal.state not in ('completed', 'failed', 'skipped')`;
    for (const { id, task, state } of await store.query(open)) {
      wrong.push(`task ${task} of run ${id}, which has ended, is ${state}`);
    }
    for (const child of children) {
      const { stdout, stderr } = await child.exited;
      const bad = `${stdout}\n${stderr}`.split("\n").filter((line) =>
        /^error|database is locked|SQLITE_|deadlock/i.test(line)
      );
      wrong.push(...bad.map((line) => `${child.pid} said: ${line}`));
    }
    return wrong;
  }
}
