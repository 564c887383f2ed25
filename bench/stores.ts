import postgres from "postgres";
import { databaseUrl } from "../tests/postgres_server.ts";
import { type Ceiling, openCeiling } from "./ceiling/sqlite.ts";
import { openPostgresCeiling } from "./ceiling/postgres.ts";
import { choice, scratch } from "./measure.ts";

/** Where runs can be kept, and what a commit survives there. */
export type StoreKind = "sqlite-process" | "sqlite-power" | "postgres";

/** What `--store=` chooses: all, `sqlite`, `sqlite-power`, `postgres`, … */
export const STORES: readonly StoreKind[] = choice("store", ["sqlite-power", "sqlite-process", "postgres"]);

/** An empty database, gone at the end of the scope. */
export interface EmptyStore extends AsyncDisposable {
  /** For `createRunner` and `createClient`. */
  readonly url: string;
  /** Options that go with the URL. */
  readonly options: { readonly schema?: string; readonly durability?: "power" | "process" };
  /** Opens the ceiling loop beside it, in a file or schema of its own. */
  ceiling(): Promise<Ceiling>;
}

/** Makes an empty database. */
export async function emptyStore(kind: StoreKind): Promise<EmptyStore> {
  if (kind === "postgres") return emptySchema(await databaseUrl(["fsync=on"]));
  const durability = kind === "sqlite-power" ? "power" : "process";
  const [ours, theirs] = [scratch(), scratch()];
  return {
    url: `sqlite://${ours.path}`,
    options: { durability },
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
    ceiling: () => openPostgresCeiling(url, schemas[1]!),
    async [Symbol.asyncDispose]() {
      const sql = postgres(url, { max: 1, onnotice() {} });
      for (const name of schemas) await sql.unsafe(`drop schema if exists ${name} cascade`);
      await sql.end();
    },
  };
}
