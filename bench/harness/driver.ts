/**
 * Runs `adapter.ts` through phases of the public harness on a Postgres of its own, and prints a line of JSON for each
 * phase: rates of all processes together, the worst latency, queue depth, dead rows. At the end the producers stop, and
 * what is left in the store is counted.
 *
 * `deno run -A bench/harness/driver.ts` runs a scenario of short phases of each type; others are named as in the harness:
 * `--phase=label=type(key=value):duration`. `--rate=200 --workers=16 --replicas=2`.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { type OwnServer, ownServer } from "../../tests/postgres_server.ts";
import { flag, median, report } from "../measure.ts";

/** A part of the run, as the harness describes it. */
interface Phase {
  readonly label: string;
  readonly type: string;
  readonly seconds: number;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A process of the system under test. */
interface Replica {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

/** The output of an adapter. */
interface Sample {
  readonly kind: string;
  readonly metric: string;
  readonly value: number;
  readonly instance_id: number;
}

const SAMPLE_S = 1;
const RATE = flag("rate", 200);
const WORKERS = flag("workers", 16);
const REPLICAS = flag("replicas", 2);
const SHORT = [
  "warmup=warmup:3s",
  "clean=clean:5s",
  "idle=idle-in-tx:5s",
  "readers=active-readers:5s",
  "pressure=high-load:5s",
  "kill=kill-worker(instance=0):5s",
  "restart=start-worker(instance=0):5s",
  "backends=pg-backend-kill(rate=2):5s",
  "server=postgres-restart:8s",
  "connections=pool-exhaustion(idle_conns=300):5s",
  "recovery=recovery:5s",
];
const ADAPTER = fileURLToPath(new URL("adapter.ts", import.meta.url));
const DRAIN_MS = 60_000;

const given = process.argv.filter((argument) => argument.startsWith("--phase=")).map((argument) => argument.slice(8));
const phases = (given.length > 0 ? given : SHORT).map(phaseOf);
const folder = mkdtempSync(join(tmpdir(), "sluice-harness-"));
const rateFile = join(folder, "rate");
const replicas = new Map<number, Replica>();
const samples: Sample[] = [];

await using server = await ownServer(["fsync=on", "max_connections=100"]);
const url = await createDatabase(server);
setRate(RATE);
for (let instance = 0; instance < REPLICAS; instance++) await start(instance);
for (const phase of phases) await run(phase);
await finish();
rmSync(folder, { recursive: true });

async function run(phase: Phase): Promise<void> {
  samples.length = 0;
  const leave = await enter(phase);
  await pause(phase.seconds * 1_000);
  const measured = [...samples];
  await leave();
  const [depth, deadRows] = await withDatabase(async (sql) => {
    const [row] = await sql`
      select (select count(*) from sluice.runs where state = 'pending') as depth,
             (select sum(n_dead_tup) from pg_stat_user_tables where schemaname = 'sluice') as dead`;
    return [Number(row!["depth"]), Number(row!["dead"])] as const;
  });
  report({
    bench: "harness",
    phase: phase.label,
    type: phase.type,
    seconds: phase.seconds,
    replicas: REPLICAS,
    rate: RATE,
    enqueuedPerSecond: rateIn(measured, "enqueue_rate", phase.seconds),
    completedPerSecond: rateIn(measured, "completion_rate", phase.seconds),
    claimP50Ms: median(valuesOf(measured, "claim_p50_ms")),
    claimP99Ms: Math.max(...valuesOf(measured, "claim_p99_ms")),
    depth,
    deadRows,
  });
}

/** Begins the disturbance of a phase; the result ends it. */
async function enter({ type, parameters }: Phase): Promise<() => Promise<void>> {
  const instance = Number(parameters.get("instance") ?? 0);
  switch (type) {
    case "warmup":
    case "clean":
    case "recovery":
      return nothing;
    case "idle-in-tx": {
      const sql = postgres(url, { max: 1, onnotice() {} });
      const over = Promise.withResolvers<void>();
      const held = sql.begin("isolation level repeatable read", async (tx) => {
        await tx`select pg_current_xact_id()`;
        await over.promise;
      });
      return async () => {
        over.resolve();
        await held;
        await sql.end();
      };
    }
    case "active-readers": {
      const sql = postgres(url, { max: 4, onnotice() {} });
      let isOver = false;
      const readers = Array.from({ length: 4 }, async () => {
        while (!isOver) await sql`select count(*), max(created_at) from sluice.runs`;
      });
      return async () => {
        isOver = true;
        await Promise.all(readers);
        await sql.end();
      };
    }
    case "high-load":
      setRate(RATE * Number(parameters.get("multiplier") ?? 1.5));
      return () => Promise.resolve(setRate(RATE));
    case "kill-worker":
      await kill(instance);
      return nothing;
    case "start-worker":
      await start(instance);
      return nothing;
    case "repeated-kill":
      return repeatedly(seconds(parameters.get("period") ?? "20s") * 1_000, async () => {
        await kill(instance);
        await start(instance);
      });
    case "pg-backend-kill":
      return repeatedly(1_000 / Number(parameters.get("rate") ?? 1), () =>
        withDatabase(async (sql) => {
          await sql`
            select pg_terminate_backend(pid)
              from (select pid from pg_stat_activity where application_name like 'sluice %'
                     order by random() limit 1) as one`;
        }));
    case "postgres-restart":
      await server.restart();
      return nothing;
    case "pool-exhaustion": {
      const most = Number(parameters.get("idle_conns") ?? 300);
      const idle = Array.from({ length: most }, () => postgres(url, { max: 1, onnotice() {} }));
      // The server refuses connections beyond its limit, those of the adapters included.
      const opened = Promise.allSettled(idle.map((sql) => sql`select 1`));
      return async () => {
        await opened;
        await Promise.all(idle.map((sql) => sql.end({ timeout: 1 })));
      };
    }
    default:
      throw new Error(`Unknown type of phase: ${type}`);
  }
}

/** Lets the system drain its backlog, and counts the remaining jobs. */
async function finish(): Promise<void> {
  setRate(0);
  for (let instance = 0; instance < REPLICAS; instance++) if (!replicas.has(instance)) await start(instance);
  const count = () =>
    withDatabase(async (sql) => {
      const rows = await sql`select state, count(*) as runs from sluice.runs group by state`;
      return new Map(rows.map((row) => [String(row["state"]), Number(row["runs"])]));
    });
  const deadline = performance.now() + DRAIN_MS;
  let states = await count();
  while (performance.now() < deadline && [...states.keys()].some((state) => state !== "completed")) {
    await pause(200);
    states = await count();
  }
  const completed = states.get("completed") ?? 0;
  states.delete("completed");
  const left = [...states.values()].reduce((sum, runs) => sum + runs, 0);
  const slow: number[] = [];
  for (const [instance, { child, ended }] of replicas) {
    // Deno reports a signal of child.kill() as the reason of the end, however the process ended.
    process.kill(child.pid!, "SIGTERM");
    const timely = await Promise.race([ended.then(() => true), pause(5_000).then(() => false)]);
    if (!timely || child.exitCode !== 0) slow.push(instance);
    child.kill("SIGKILL");
    await ended;
  }
  report({ bench: "harness", phase: "end", completedInStore: completed, left, endedLateOrWithError: slow.length });
  if (left > 0 || slow.length > 0) process.exitCode = 1;
}

async function start(instance: number): Promise<void> {
  const child = spawn(
    process.execPath,
    ["Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [], ADAPTER].flat(),
    {
      env: {
        ...process.env,
        DATABASE_URL: url,
        PRODUCER_RATE: String(RATE),
        PRODUCER_RATE_CONTROL_FILE: rateFile,
        WORKER_COUNT: String(WORKERS),
        SAMPLE_EVERY_S: String(SAMPLE_S),
        BENCH_INSTANCE_ID: String(instance),
      },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const described = Promise.withResolvers<void>();
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const record: Sample = JSON.parse(line);
    if (record.kind === "descriptor") described.resolve();
    else samples.push(record);
  });
  replicas.set(instance, { child, ended });
  await Promise.race([described.promise, ended.then(() => Promise.reject(new Error("The adapter has ended")))]);
}

async function kill(instance: number): Promise<void> {
  const replica = replicas.get(instance);
  if (replica === undefined) return;
  replicas.delete(instance);
  replica.child.kill("SIGKILL");
  await replica.ended;
}

/** Does something at an interval until the result is called. */
function repeatedly(ms: number, act: () => Promise<void>): () => Promise<void> {
  let isOver = false;
  const acting = (async () => {
    while (!isOver) {
      await act();
      await pause(ms);
    }
  })();
  return async () => {
    isOver = true;
    await acting;
  };
}

/** Jobs per second of all replicas together, over the whole phase. */
function rateIn(samples: readonly Sample[], metric: string, seconds: number): number {
  return valuesOf(samples, metric).reduce((sum, value) => sum + value * SAMPLE_S, 0) / seconds;
}

function valuesOf(samples: readonly Sample[], metric: string): readonly number[] {
  return samples.filter((sample) => sample.metric === metric).map(({ value }) => value);
}

function setRate(rate: number): void {
  // Each replica is a producer.
  writeFileSync(rateFile, String(rate / REPLICAS));
}

async function createDatabase({ url }: OwnServer): Promise<string> {
  const sql = postgres(url, { max: 1, onnotice() {} });
  await sql`create database sluice_bench`;
  await sql.end();
  const own = new URL(url);
  own.pathname = "/sluice_bench";
  return own.href;
}

/** Uses a connection, as soon as the server accepts one. */
async function withDatabase<T>(use: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  for (;;) {
    const sql = postgres(url, { max: 1, onnotice() {} });
    try {
      return await use(sql);
    } catch (error) {
      if (!/ECONN|CONNECTION|57P0|53300/.test(String((error as { readonly code?: unknown }).code))) throw error;
      await pause(200);
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}

function phaseOf(text: string): Phase {
  const parts = /^(\w+)=([a-z-]+)(?:\(([^)]*)\))?:(\w+)$/.exec(text);
  if (parts === null) throw new Error(`Not a phase: ${text}; it is label=type(key=value):duration`);
  const [, label, type, parameters = "", duration] = parts;
  return {
    label: label!,
    type: type!,
    seconds: seconds(duration!),
    parameters: new Map(parameters.split(",").filter(Boolean).map((one) => one.split("=") as [string, string])),
  };
}

function seconds(duration: string): number {
  const parts = /^(\d+)([smh]?)$/.exec(duration);
  if (parts === null) throw new Error(`Not a duration: ${duration}`);
  return Number(parts[1]) * ({ s: 1, m: 60, h: 3_600 }[parts[2] || "s"] ?? 1);
}

function nothing(): Promise<void> {
  return Promise.resolve();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
