import postgres from "postgres";
import { databaseUrl } from "../tests/postgres_server.ts";
import { type Ceiling, openCeiling } from "./ceiling/sqlite.ts";
import { openPostgresCeiling } from "./ceiling/postgres.ts";
import { choice, scratch } from "./measure.ts";

/** The kinds of stores, with their durability. */
export type StoreKind = "sqlite-process" | "sqlite-power" | "postgres";

/** What `--store=` chooses: all, `sqlite`, `sqlite-power`, `postgres`, … */
export const STORES: readonly StoreKind[] = choice("store", ["sqlite-power", "sqlite-process", "postgres"]);

/** An empty database, gone at the end of the scope. */
export interface EmptyStore extends AsyncDisposable {
  /** For `createRunner` and `createClient`. */
  readonly url: string;
  /** Options that go with the URL. */
  readonly options: { readonly schema?: string; readonly durability?: "power" | "process" };
  /** The files of Sluice and of the ceiling loop, on SQLite. */
  readonly files: { readonly sluice: string; readonly ceiling: string } | undefined;
  /** Opens the ceiling loop beside it, in a file or schema of its own. */
  ceiling(): Promise<Ceiling>;
}

/** The durability of such a store, by its settings. */
export async function durabilityOf(kind: StoreKind): Promise<string> {
  if (kind !== "postgres") return `synchronous=${kind === "sqlite-power" ? "FULL" : "NORMAL"}, WAL`;
  const sql = postgres(await serverUrl(), { max: 1, onnotice() {} });
  const [row] = await sql`select current_setting('fsync') as fsync, current_setting('synchronous_commit') as waits`;
  await sql.end();
  return `fsync=${row!["fsync"]}, synchronous_commit=${row!["waits"]}`;
}

/** The server of `DATABASE_URL`, or one that is started here and writes to the disk, as the tests' own does not. */
export function serverUrl(): Promise<string> {
  return databaseUrl(["fsync=on"]);
}

/** Makes an empty database. */
export async function emptyStore(kind: StoreKind): Promise<EmptyStore> {
  if (kind === "postgres") return emptySchema(await serverUrl());
  const durability = kind === "sqlite-power" ? "power" : "process";
  const [ours, theirs] = [scratch(), scratch()];
  return {
    url: `sqlite://${ours.path}`,
    options: { durability },
    files: { sluice: ours.path, ceiling: theirs.path },
    ceiling: () => openCeiling(theirs.path, durability),
    [Symbol.asyncDispose]() {
      ours[Symbol.dispose]();
      theirs[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

function emptySchema(url: string): EmptyStore {
  const schema = `bench_${crypto.randomUUID().slice(0, 8)}`;
  const schemas = [schema, `${schema}_ceiling`];
  return {
    url,
    options: { schema },
    files: undefined,
    ceiling: () => openPostgresCeiling(url, schemas[1]!),
    async [Symbol.asyncDispose]() {
      const sql = postgres(url, { max: 1, onnotice() {} });
      for (const name of schemas) await sql.unsafe(`drop schema if exists ${name} cascade`);
      await sql.end();
    },
  };
}
