/**
 * Creates and removes tenants. A tenant consists exactly of Sluice's tables in its schema, and of roles whose comment
 * names the tenant. So no foreign object is granted on or dropped with a tenant. Each operation is a single
 * transaction: it takes effect completely or not at all.
 *
 * @module
 */
import { StoreError } from "../../../errors.ts";
import { type Logger, silent } from "../../../logger.ts";
import { knownOptions } from "../../../option_names.ts";
import { lineFor } from "../connect/connections.ts";
import { faultOf, isDependency, isDuplicate, messageOf } from "../connect/faults.ts";
import { lockSchema, migrateWithin, versionOf } from "../schema/migrations.ts";
import { openSession } from "../schema/open.ts";
import { refuseUntrusted } from "../schema/owners.ts";
import { TABLES } from "../schema/schema.ts";
import { checkRole, checkSchema } from "../schema/schema_name.ts";
import { scramVerifier } from "./scram.ts";
import { createSession, type Run, type Session } from "../connect/session.ts";
import { CONNECT_TIMEOUT_MS, hostOrderOf } from "../store.ts";
import { readTenants, type Tenant } from "./tenant_list.ts";
import { dropRole, grantTo } from "./tenant_role.ts";
import { parsePostgresUrl } from "../connect/url.ts";

/** Options for the connection to the database of the tenants. */
export interface TenantAdminOptions {
  /**
   * How long to wait for a server that is down, in milliseconds.
   *
   * @default {30_000}, or the seconds that the URL gives as `connect_timeout`
   */
  readonly connectTimeoutMs?: number;
  /** Receives warnings about waits. */
  readonly logger?: Logger;
}

const ADMIN_OPTIONS: readonly string[] = ["connectTimeoutMs", "logger"];

/** The tenant to create. */
export interface CreateTenantOptions extends TenantAdminOptions {
  /** The schema: `[a-z_][a-z0-9_]*`, at most 48 characters, and not `public`, which all roles share. */
  readonly schema: string;
  /** A role that can log in and access the tenant's schema only. @default {undefined} none */
  readonly role?: string;
  /** The role's password. If omitted, a new role has no password, and an existing role keeps its password. */
  readonly password?: string;
}

/** The tenant to remove. */
export interface RemoveTenantOptions extends TenantAdminOptions {
  /** The tenant's schema. */
  readonly schema: string;
  /** The tenant's role; if omitted, roles remain, without any rights. */
  readonly role?: string;
}

const STRANGERS = `
select pg_describe_object(d.classid, d.objid, d.objsubid) as thing
  from pg_catalog.pg_depend as d
 where d.refclassid = 'pg_catalog.pg_namespace'::regclass
   and d.refobjid = (select oid from pg_catalog.pg_namespace where nspname = $1)
   and d.deptype = 'n'
   and not exists (
         select 1
           from pg_catalog.pg_class as c
          where d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid and c.relname = any($2::text[]))
   and not exists (
         select 1
           from pg_catalog.pg_depend as o
           join pg_catalog.pg_class as c on c.oid = o.refobjid
          where o.classid = d.classid and o.objid = d.objid and o.deptype in ('a', 'i')
            and o.refclassid = 'pg_catalog.pg_class'::regclass and c.relnamespace = d.refobjid
            and c.relname = any($2::text[]))
 order by 1
 limit 4`;

/** How often a change is tried that others make at the same moment. */
const MOST_TRIES = 10;

const IS_THERE = `select 1 as there from pg_catalog.pg_namespace where nspname = $1`;

/**
 * Creates a tenant: a schema with Sluice's tables, migrated if it exists already, and optionally a role that can log in
 * and access these tables only. Returns whether the schema is new. Can be repeated, also concurrently; a failure leaves
 * nothing behind.
 *
 * The role also has the rights that Postgres grants to all roles: connect, create temporary tables, see the names of
 * schemas, tables and roles, listen and notify. A tenant can observe when other tenants are active, as notifications
 * are database-wide, but not what they do. A forged notification causes at most ten additional reads of their tables
 * per second and has no other effect.
 *
 * @throws {StoreError} If a name is refused, the schema holds other objects or belongs to a role that the login does
 * not trust, the role is not this tenant's, or the login lacks the right; the message states the reason.
 * @throws {TypeError} If there is a password without a role, or the password is invalid.
 *
 * @example
 * ```ts ignore
 * await createTenant("postgres://admin@localhost/app", { schema: "acme", role: "acme", password });
 * await using runner = await createRunner(`postgres://acme:${password}@localhost/app`, { schema: "acme", workflows });
 * ```
 */
export async function createTenant(url: string, options: CreateTenantOptions): Promise<boolean> {
  knownOptions(options, "create a tenant", ["schema", "role", "password", ...ADMIN_OPTIONS]);
  const schema = checkTenant(options.schema);
  const role = options.role === undefined ? undefined : checkRole(options.role);
  const verifier = await verifierOf(role, options.password);
  return await administer(url, schema, options, (session) =>
    session.once("care", async ({ run }) => {
      const before = await told(session, "create schemas here", "grant create on database", () => lay(session, run));
      if (role !== undefined) {
        await told(session, "make roles", "alter role … createrole, or leave the role out", () =>
          grantTo(session, run, role, verifier));
      }
      return before === 0;
    }));
}

/**
 * Removes a tenant with all its runs, and its role if it is named. Returns whether the schema or the role existed. Stop
 * its runners first: a runner that continues fails.
 *
 * @throws {StoreError} If the schema is not Sluice's, belongs to a role that the login does not trust, or also holds
 * other objects, the role was not created by `createTenant()` for it, or the login lacks the right; then nothing is
 * removed.
 */
export async function removeTenant(url: string, options: RemoveTenantOptions): Promise<boolean> {
  // The options that created a tenant also remove it.
  knownOptions(options, "remove a tenant", ["schema", "role", "password", ...ADMIN_OPTIONS]);
  const schema = checkTenant(options.schema);
  const role = options.role === undefined ? undefined : checkRole(options.role);
  return await administer(url, schema, options, (session) =>
    session.once("care", async ({ run }) => {
      await lockSchema(session, run);
      const isDropped = await told(session, "drop this schema", "use the role that owns it", () => drop(session, run));
      if (role === undefined) return isDropped;
      const isRoleDropped = await told(session, "drop this role", "use the role that made it", () =>
        dropRole(session, run, role));
      return isDropped || isRoleDropped;
    }));
}

/**
 * The tenants of a database, by name: each schema with Sluice's tables that the login may read, and that belong to the
 * login, to a superuser, or to a role whose rights the login has. Other schemas are omitted with a warning to the
 * logger, as a read from a table can execute code of its owner.
 *
 * @throws {StoreError} If the database cannot be used.
 */
export async function listTenants(url: string, options: TenantAdminOptions = {}): Promise<readonly Tenant[]> {
  knownOptions(options, "list tenants", ADMIN_OPTIONS);
  return await administer(url, "pg_catalog", options, readTenants);
}

function checkTenant(schema: unknown): string {
  const name = checkSchema(schema);
  if (name !== "public") return name;
  throw new StoreError("invalid_schema", `Cannot use "public" for the name of a tenant's schema: all roles share it`);
}

async function verifierOf(role: string | undefined, password: unknown): Promise<string | undefined> {
  if (password === undefined) return undefined;
  if (role === undefined) throw new TypeError("Cannot create a tenant with a password: it needs a role");
  if (typeof password !== "string" || password === "" || password.includes("\0")) {
    throw new TypeError("Cannot create a tenant: its password must be a text that is not empty and has no NUL");
  }
  return await scramVerifier(password, crypto.getRandomValues(new Uint8Array(16)));
}

async function administer<T>(
  url: string,
  schema: string,
  options: TenantAdminOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const address = parsePostgresUrl(url);
  const { logger = silent, connectTimeoutMs = address.connectTimeoutMs ?? CONNECT_TIMEOUT_MS } = options;
  // Each statement runs once and is not prepared, which also works behind any pooler.
  const line = lineFor("care", { address, hosts: hostOrderOf(address), prepare: false, label: "tenants", logger });
  const lines = { flush: line, claim: line, keys: line, heartbeat: line, read: line, care: line };
  const session = createSession({ name: address.name, schema, lines, clock: undefined, logger });
  try {
    return await openSession(session, connectTimeoutMs, once);
  } finally {
    await session.close();
    await line.close();
  }

  async function once(): Promise<T> {
    for (let tries = 1;; tries++) {
      try {
        return await work(session);
      } catch (error) {
        // Another session has created the same thing at the same moment, a role perhaps in another database.
        if (!isDuplicate(error) || tries === MOST_TRIES) throw error;
      }
    }
  }
}

/** Adds the missing right or the dependency to the errors of `work`. */
async function told<T>(session: Session, deed: string, remedy: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, schema } = session;
    if (faultOf(error) === "not_permitted") {
      throw new StoreError(
        "not_permitted",
        `Cannot change tenant "${schema}" of ${name}: the role of the URL may not ${deed} (${messageOf(error)}); ` +
          `${remedy}`,
      );
    }
    if (isDependency(error)) {
      throw new StoreError(
        "tenant_in_use",
        `Cannot change tenant "${schema}" of ${name}: ${messageOf(error)}; remove what depends on it first`,
      );
    }
    throw error;
  }
}

async function lay(session: Session, run: Run): Promise<number> {
  await lockSchema(session, run);
  await refuseUntrusted(session, run);
  const before = await migrateWithin(session, run);
  await refuseStrangers(session, run);
  return before;
}

/** Drops Sluice's tables and then the schema, never objects that depend on them. */
async function drop(session: Session, run: Run): Promise<boolean> {
  const { name, schema } = session;
  if ((await run(IS_THERE, [schema])).length === 0) return false;
  await refuseUntrusted(session, run);
  if (!await isOurs(session, run)) {
    throw new StoreError(
      "not_a_tenant",
      `Cannot remove schema "${schema}" from ${name}: it is not Sluice's, as its table "meta" does not say so`,
    );
  }
  await refuseStrangers(session, run);
  await run(`drop table ${TABLES.map((table) => `"${schema}"."${table}"`).join(", ")}`);
  await run(`drop schema "${schema}"`);
  return true;
}

async function isOurs(session: Session, run: Run): Promise<boolean> {
  try {
    return await versionOf(session, run) > 0;
  } catch (error) {
    if (error instanceof StoreError && error.code === "foreign_tables") return false;
    throw error;
  }
}

async function refuseStrangers({ name, schema }: Session, run: Run): Promise<void> {
  const things = (await run(STRANGERS, [schema, `{${TABLES.join(",")}}`])).map((row) => String(row["thing"]));
  if (things.length === 0) return;
  const shown = things.length > 3 ? `${things.slice(0, 3).join(", ")} and more` : things.join(", ");
  throw new StoreError(
    "foreign_tables",
    `Cannot change tenant "${schema}" of ${name}: its schema also contains other objects (${shown}); a tenant needs ` +
      "a schema of its own",
  );
}
