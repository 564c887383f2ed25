/** Two tenants with identical rows, for each way in which two tenants can be set up. */
import { TABLES as STORE_TABLES } from "../../lib/store/postgres/schema/schema.ts";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createPostgresPool, openPostgresStore, type PostgresPool } from "../../lib/store/postgres/mod.ts";
import { openSqliteStore } from "../../lib/store/sqlite/mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { type ManualClock, manualClock } from "../store/contract/fixture.ts";
import { tempDir } from "../temp_dir.ts";
import { openSite } from "./site.ts";

/** A tenant and its rows. */
export interface Neighbour {
  /** Its store. */
  readonly store: Store;
  /** Returns all rows of all tables, read without the store. */
  rows(): Promise<Record<string, unknown>>;
  /** Deletes all rows, and resets the sequences. */
  clear(): Promise<void>;
}

/** Two tenants of one database, or their equivalent on SQLite. */
export interface Ground extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly first: Neighbour;
  readonly second: Neighbour;
}

const TABLES = STORE_TABLES.filter((table) => table !== "meta");
const SQLITE_TABLES = TABLES.filter((table) => table !== "claims");

/** The ways to set up two tenants, by name. */
export const GROUNDS: Readonly<Record<string, () => Promise<Ground>>> = {
  "two schemas": () => openSchemas(undefined),
  "two schemas on one pool": () => openSchemas((url) => createPostgresPool(url, { connections: 1 })),
  "two files": openFiles,
};

async function openSchemas(makePool: ((url: string) => PostgresPool) | undefined): Promise<Ground> {
  const site = openSite();
  const clock = manualClock();
  const pool = makePool?.(site.url);
  const [first, second] = [await neighbour(), await neighbour()];
  return {
    clock,
    first,
    second,
    async [Symbol.asyncDispose]() {
      await Promise.all([first, second].map(({ store }) => store.close()));
      await pool?.close();
      await site[Symbol.asyncDispose]();
    },
  };

  async function neighbour(): Promise<Neighbour> {
    const schema = site.name();
    const store = await (pool?.store({ schema, clock }) ?? openPostgresStore(site.url, { schema, clock }));
    return {
      store,
      async rows() {
        const all: Record<string, unknown> = {};
        for (const table of TABLES) {
          const rows = await site.sql.unsafe(
            `select row_to_json(t)::text as row from "${schema}"."${table}" as t order by 1`,
          );
          all[table] = rows.map(({ row }) => row);
        }
        return all;
      },
      async clear() {
        await site.sql.unsafe(
          `truncate ${TABLES.map((table) => `"${schema}"."${table}"`).join(", ")} restart identity`,
        );
      },
    };
  }
}

async function openFiles(): Promise<Ground> {
  const dir = tempDir();
  const clock = manualClock();
  const [first, second] = [await neighbour("first"), await neighbour("second")];
  return {
    clock,
    first,
    second,
    async [Symbol.asyncDispose]() {
      await Promise.all([first, second].map(({ store }) => store.close()));
      dir[Symbol.dispose]();
    },
  };

  async function neighbour(name: string): Promise<Neighbour> {
    const path = join(dir.path, `${name}.db`);
    const store = await openSqliteStore(`sqlite://${path}`, { clock, durability: "process" });
    return {
      store,
      rows: () =>
        past((database) =>
          Object.fromEntries(SQLITE_TABLES.map((table) => {
            const rows = database.prepare(`select * from ${table} order by 1, 2`).all();
            return [table, rows.map((row) => ({ ...row }))];
          }))
        ),
      clear: () =>
        past((database) => {
          for (const table of [...SQLITE_TABLES, "sqlite_sequence"]) database.exec(`delete from ${table}`);
        }),
    };

    function past<T>(work: (database: DatabaseSync) => T): Promise<T> {
      const database = new DatabaseSync(path, { timeout: 5_000 });
      try {
        return Promise.resolve(work(database));
      } finally {
        database.close();
      }
    }
  }
}
