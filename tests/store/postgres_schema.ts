import postgres from "postgres";
import { openPostgresStore, type PostgresStoreOptions } from "../../lib/store/postgres/store.ts";
import type { Store } from "../../lib/store/port.ts";
import { databaseUrl } from "../postgres_server.ts";

/** A schema that is gone, with the stores on it, at the end of the scope. */
export interface TestSchema extends AsyncDisposable {
  /** Its name. */
  readonly schema: string;
  /** The database. */
  readonly url: string;
  /** A connection past every store; tables are found without naming the schema. */
  readonly sql: postgres.Sql;
  /** Opens a store on it, by another way if one is given. */
  open(options?: PostgresStoreOptions & { readonly url?: string }): Promise<Store>;
}

// Before any test, so that none of them is held to have left the server behind.
const url = await databaseUrl();

/** Names a schema that nobody else uses. */
export function testSchema(): TestSchema {
  const schema = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  const sql = postgres(url, {
    max: 2,
    max_lifetime: null,
    onnotice() {},
    connection: { search_path: schema },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  });
  const stores: Store[] = [];
  return {
    schema,
    url,
    sql,
    async open({ url: way = url, ...options } = {}) {
      const store = await openPostgresStore(way, { schema, ...options });
      stores.push(store);
      return store;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await sql.unsafe(`drop schema if exists "${schema}" cascade`);
      await sql.end({ timeout: 1 });
    },
  };
}
