import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { freePort } from "../../tests/ports.ts";
import { databaseUrl } from "../../tests/postgres_server.ts";
import { scratch } from "../measure.ts";
import type { Place } from "./adapter.ts";

/** Where a side keeps its runs, and what a commit survives there. */
export type PlaceKind =
  | "postgres"
  | "postgres, lazy"
  | "sqlite"
  | "redis, always"
  | "redis, every second";

/** A place of one round, gone at the end of the scope. */
export interface OwnPlace extends AsyncDisposable {
  /** What the side receives. */
  readonly place: Place;
  /** What a commit survives there, by the server's own account. */
  readonly durability: string;
  /** Everything written since it was created; only for Postgres. */
  written(): Promise<Written | undefined>;
  /** The number that a query gives; only of a Postgres. */
  count(query: string): Promise<number>;
}

/** Bytes and transactions that a Postgres has written. */
export interface Written {
  /** Bytes of its log. */
  readonly walBytes: number;
  /** Transactions that wrote something. */
  readonly transactions: number;
}

let databases = 0;

/** Makes an empty place. */
export async function ownPlace(kind: PlaceKind): Promise<OwnPlace> {
  switch (kind) {
    case "postgres":
      return await ownDatabase("on");
    case "postgres, lazy":
      return await ownDatabase("off");
    case "sqlite":
      return ownFile();
    case "redis, always":
      return await ownRedis("always");
    case "redis, every second":
      return await ownRedis("everysec");
  }
}

/** Why places of a kind cannot be made here. */
export function unavailable(kind: PlaceKind): string | undefined {
  if (!kind.startsWith("redis")) return undefined;
  return spawnSync("redis-server", ["--version"]).status === 0 ? undefined : "there is no redis-server here";
}

async function ownDatabase(synchronousCommit: "on" | "off"): Promise<OwnPlace> {
  const url = new URL(await databaseUrl(["fsync=on"]));
  const name = `bench_peers_${++databases}`;
  const sql = postgres(url.href, { max: 1, onnotice() {} });
  await sql.unsafe(`drop database if exists ${name} with (force)`);
  await sql.unsafe(`create database ${name}`);
  await sql.unsafe(`alter database ${name} set synchronous_commit = ${synchronousCommit}`);
  url.pathname = `/${name}`;
  const inside = postgres(url.href, { max: 1, onnotice() {} });
  const settings = await inside<{ name: string; setting: string }[]>`
    select name, setting
      from pg_settings
     where name in ('fsync', 'synchronous_commit')
     order by name`;
  // So that each begins at the same distance from the next checkpoint, and with pages that must be logged whole.
  await sql`checkpoint`;
  return {
    place: { kind: "postgres", url: url.href },
    durability: settings.map(({ name, setting }) => `${name}=${setting}`).join(", "),
    async written() {
      const [row] = await sql<{ bytes: string; transactions: string }[]>`
        select pg_current_wal_insert_lsn() - '0/0' as bytes, pg_snapshot_xmax(pg_current_snapshot()) as transactions`;
      return {
        walBytes: Number(row!.bytes),
        transactions: Number(row!.transactions),
      };
    },
    async count(query) {
      const [row] = await inside.unsafe(query);
      return Number(Object.values(row!)[0]);
    },
    async [Symbol.asyncDispose]() {
      await inside.end();
      await sql.unsafe(`drop database ${name} with (force)`);
      await sql.end();
    },
  };
}

function ownFile(): OwnPlace {
  const file = scratch();
  return {
    place: { kind: "sqlite", url: file.path },
    durability: "synchronous=full",
    written: () => Promise.resolve(undefined),
    count: () => Promise.reject(new Error("A file is counted by whom it belongs to")),
    [Symbol.asyncDispose]() {
      file[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

async function ownRedis(appendfsync: "always" | "everysec"): Promise<OwnPlace> {
  const home = mkdtempSync(join(tmpdir(), "sluice-bench-redis-"));
  const port = await freePort();
  const settings = {
    port,
    bind: "127.0.0.1",
    dir: home,
    appendonly: "yes",
    appendfsync,
    save: "",
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = spawn("redis-server", args, {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("close", () => reject(new Error("redis-server has ended")));
    server.stdout.on("data", (text) => String(text).includes("Ready to accept connections") && resolve());
  });
  return {
    place: { kind: "redis", url: `redis://127.0.0.1:${port}` },
    durability: `appendfsync=${appendfsync}`,
    written: () => Promise.resolve(undefined),
    count: () => Promise.reject(new Error("Redis is counted by whom it serves")),
    async [Symbol.asyncDispose]() {
      server.kill("SIGTERM");
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}
