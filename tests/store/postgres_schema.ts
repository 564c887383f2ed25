import postgres from "postgres";
import type { Clock } from "../../lib/clock.ts";
import { type Logger, silent } from "../../lib/logger.ts";
import { createConnections } from "../../lib/store/postgres/connect/connections.ts";
import { TABLES } from "../../lib/store/postgres/schema/schema.ts";
import { createSession, type Session } from "../../lib/store/postgres/connect/session.ts";
import { hostOrderOf, openPostgresStore, type PostgresStoreOptions } from "../../lib/store/postgres/store.ts";
import { parsePostgresUrl } from "../../lib/store/postgres/connect/url.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { databaseUrl } from "../postgres_server.ts";
import { manualClock, type Opened } from "./contract/fixture.ts";

/** A schema that is dropped at the end of the scope, after the stores on it are closed. */
export interface TestSchema extends AsyncDisposable {
  /** Its name. */
  readonly schema: string;
  /** The URL of the database. */
  readonly url: string;
  /** A connection without a store; its search path is the schema. */
  readonly sql: postgres.Sql;
  /** Opens a store on it, optionally through another URL. */
  open(options?: PostgresStoreOptions & { readonly url?: string }): Promise<Store>;
  /** Creates the session of a store that is not opened; its connections are closed at the end of the scope. */
  session(logger?: Logger, clock?: Clock): Session;
}

const EMPTIED = TABLES.filter((table) => table !== "meta").join(", ");

// Started before any test, so that the leak sanitizer does not attribute the server to one.
const shared = await databaseUrl();

/** Returns an unused schema name, in the database of the tests or another one. */
export function testSchema(url: string = shared): TestSchema {
  const schema = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  const sql = postgres(url, {
    max: 2,
    max_lifetime: null,
    onnotice() {},
    connection: { search_path: schema },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  });
  const stores: { close(): Promise<void> }[] = [];
  return {
    schema,
    url,
    sql,
    async open({ url: way = url, ...options } = {}) {
      const store = await openPostgresStore(way, { schema, ...options });
      stores.push(store);
      return store;
    },
    session(logger = silent, clock) {
      const address = parsePostgresUrl(url);
      const connections = createConnections({
        address,
        hosts: hostOrderOf(address),
        prepare: true,
        label: schema,
        logger,
      });
      const session = createSession({
        name: "the database",
        schema,
        lines: connections.lines,
        clock,
        logger,
      });
      stores.push({
        close: () => session.close().then(connections.close),
      });
      return session;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await sql.unsafe(`drop schema if exists "${schema}" cascade`);
      await sql.end({ timeout: 1 });
    },
  };
}

/** Returns the fixture of the contract: stores on the schema, which is empty at first. */
export async function openOn(on: TestSchema, options: PostgresStoreOptions = {}): Promise<Opened> {
  const clock = manualClock();
  const stores: Store[] = [];
  const store = await another();
  await on.sql.unsafe(`truncate ${EMPTIED} restart identity`);
  return {
    store,
    another,
    clock,
    async numberFrom(seq) {
      await on.sql`select setval('runs_seq_seq', ${seq}, false)`;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((one) => one.close()));
    },
  };

  async function another(): Promise<Store> {
    const one = await on.open({ ...options, clock });
    stores.push(one);
    return one;
  }
}
