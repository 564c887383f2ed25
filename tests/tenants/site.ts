import postgres from "postgres";
import { createTenant, removeTenant } from "../../lib/store/postgres/mod.ts";
import { databaseUrl } from "../postgres_server.ts";

// Started before any test, so that the leak sanitizer does not attribute the server to one.
const url = await databaseUrl();

/** Unused tenant names and an administrator login; all of them are removed at the end of the scope. */
export interface Site extends AsyncDisposable {
  /** The URL of the database, with the login of a superuser. */
  readonly url: string;
  /** A connection with the same login, without a store. */
  readonly sql: postgres.Sql;
  /** Returns an unused name for a tenant, whose role has the same name. */
  name(): string;
  /** Creates a superuser for one test; returns the database's URL with it. */
  admin(): Promise<string>;
  /** Returns how many connections a login has. */
  connections(url: string): Promise<number>;
  /** Creates a tenant with a role; returns its connection. */
  create(): Promise<{ readonly schema: string; readonly url: string }>;
}

/** Opens a site. */
export function openSite(): Site {
  const sql = connect(url);
  const names: string[] = [];
  return {
    url,
    sql,
    name,
    async admin() {
      const role = name();
      await sql.unsafe(`create role "${role}" superuser login password 'admin'`);
      return urlFor(role, "admin");
    },
    async connections(url) {
      const role = new URL(url).username;
      const [row] = await sql`select count(*) as n from pg_stat_activity where usename = ${role}`;
      return row?.["n"];
    },
    async create() {
      const schema = name();
      await createTenant(url, { schema, role: schema, password: `pass ${schema}` });
      return { schema, url: urlFor(schema, `pass ${schema}`) };
    },
    async [Symbol.asyncDispose]() {
      for (const schema of names) {
        await removeTenant(url, { schema, role: schema }).catch(() => {});
        await sql.unsafe(`drop schema if exists "${schema}" cascade`);
      }
      for (const role of names) await sql.unsafe(`drop role if exists "${role}"`);
      await sql.end({ timeout: 1 });
    },
  };

  function name(): string {
    const made = `tenant_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
    names.push(made);
    return made;
  }
}

/** Returns the URL of the database with another login. */
export function urlFor(role: string, password: string): string {
  const changed = new URL(url);
  changed.username = role;
  changed.password = encodeURIComponent(password);
  return changed.href;
}

/** Opens a single connection without a store. */
export function connect(to: string): postgres.Sql {
  return postgres(to, {
    max: 1,
    max_lifetime: null,
    fetch_types: false,
    onnotice() {},
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  });
}
