/**
 * An empty store for tests that are independent of the kind of store. SLUICE_TEST_STORE sets the kind: `sqlite` (the
 * default) or `postgres`. `deno task test` runs such tests on both.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import process from "node:process";
import postgres from "postgres";
import { type Place, type Reader, readPlace, type Row } from "./place.ts";
import { databaseUrl } from "./postgres_server.ts";
import { tempDir } from "./temp_dir.ts";
import { HANG_MS } from "./within.ts";

/** The kind of the stores. */
export const backend: "sqlite" | "postgres" = backendOf(process.env["SLUICE_TEST_STORE"] ?? "sqlite");

// Opened before any test, so that the leak sanitizer does not attribute the server or the connection to one.
const server = backend === "postgres" ? await connect() : undefined;

/** A store that is removed at the end of the scope; it must be closed before. */
export interface EmptyStore extends Place, AsyncDisposable {
  /** Executes SQL without the store. */
  query(sql: string): Promise<readonly Row[]>;
}

/** Creates a store; in memory if no other process opens it and the backend supports that. */
export function emptyStore(place: "shared" | "memory" = "shared"): EmptyStore {
  if (server !== undefined) return inSchema(server);
  return place === "memory" ? inMemory() : inFile();
}

function inMemory(): EmptyStore {
  return {
    url: "sqlite::memory:",
    options: {},
    query: () => Promise.reject(new Error("nobody else can look into this memory: ask for a shared store")),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function inFile(): EmptyStore {
  const dir = tempDir();
  return at({ url: `sqlite://${join(dir.path, "app.db")}`, options: {} }, () => Promise.resolve(dir[Symbol.dispose]()));
}

interface Server {
  readonly url: string;
  readonly sql: postgres.Sql;
}

async function connect(): Promise<Server> {
  const url = await databaseUrl();
  const sql = postgres(url, { max: 1, max_lifetime: null, onnotice() {} });
  await sql`select 1`;
  return { url, sql };
}

function inSchema({ url, sql }: Server): EmptyStore {
  const schema = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  return at({ url, options: { schema } }, async () => {
    const left = await connectionsLeft(sql, schema);
    await sql.unsafe(`drop schema if exists "${schema}" cascade`);
    assertEquals(left, [], "connections are left");
  });
}

/** Returns the connections that do not end; a server detects only after some time that a process was killed. */
async function connectionsLeft(sql: postgres.Sql, schema: string): Promise<readonly Row[]> {
  for (const deadline = performance.now() + HANG_MS;;) {
    const rows = await sql`
      select application_name, state, query
        from pg_stat_activity
       where application_name like 'sluice %' and application_name like ${`% ${schema}`}`;
    if (rows.length === 0 || performance.now() > deadline) return rows.map((row) => ({ ...row }));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function at(place: Place, remove: () => Promise<void>): EmptyStore {
  let reader: Reader | undefined;
  return {
    ...place,
    query: (sql) => (reader ??= readPlace(place)).query(sql),
    async [Symbol.asyncDispose]() {
      await reader?.close();
      await remove();
    },
  };
}

function backendOf(name: string): "sqlite" | "postgres" {
  if (name === "sqlite" || name === "postgres") return name;
  throw new Error(`SLUICE_TEST_STORE is "${name}", and neither "sqlite" nor "postgres"`);
}
