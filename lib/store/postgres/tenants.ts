/**
 * Makes and removes tenants. What belongs to one is known exactly: our tables in its schema and nothing else, and roles
 * that say in their comment whose they are. So nothing is granted on, and nothing dropped with a tenant, that another
 * has put there, and each of these is one transaction: done or not done.
 *
 * @module
 */
import { StoreError } from "../../errors.ts";
import { type Logger, silent } from "../../logger.ts";
import { lineFor } from "./connections.ts";
import { faultOf, isDependency, isDuplicate, messageOf } from "./faults.ts";
import { migrateWithin, versionOf } from "./migrations.ts";
import { openSession } from "./open.ts";
import { refuseUntrusted } from "./owners.ts";
import { TABLES } from "./schema.ts";
import { checkRole, checkSchema } from "./schema_name.ts";
import { scramVerifier } from "./scram.ts";
import { createSession, type Run, type Session } from "./session.ts";
import { CONNECT_TIMEOUT_MS } from "./store.ts";
import { readTenants, type Tenant } from "./tenant_list.ts";
import { dropRole, grantTo } from "./tenant_role.ts";
import { parsePostgresUrl } from "./url.ts";

/** How to reach the database in which there are tenants. */
export interface TenantAdminOptions {
  /**
   * How long to wait for a server that is down, in milliseconds.
   *
   * @default {30_000}, or the seconds that the URL gives as `connect_timeout`
   */
  readonly connectTimeoutMs?: number;
  /** Hears of what is waited for. */
  readonly logger?: Logger;
}

/** What to create. */
export interface CreateTenantOptions extends TenantAdminOptions {
  /** The schema: `[a-z_][a-z0-9_]*`, at most 48 characters, and not `public`, which is everybody's. */
  readonly schema: string;
  /** A role that can log in and reach the tenant's schema and no other. @default {undefined} none */
  readonly role?: string;
  /** The role's password. Without one it has none, or keeps what it has. */
  readonly password?: string;
}

/** What to remove. */
export interface RemoveTenantOptions extends TenantAdminOptions {
  /** The tenant's schema. */
  readonly schema: string;
  /** The tenant's role; without it roles stay, and can do nothing. */
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

const IS_THERE = `select 1 as there from pg_catalog.pg_namespace where nspname = $1`;

/**
 * Makes a tenant: a schema with Sluice's tables, brought up to date if it is there already, and a role if one is named,
 * which may log in, read and write these tables, and nothing else. Answers whether the schema was not Sluice's before.
 * May be repeated, also by many at once; a failure leaves nothing behind.
 *
 * What Postgres lets everybody do, it lets the role do as well: connect, make temporary tables, see the names of schemas,
 * tables and roles, listen and notify. Of what others are notified a tenant can tell when they work, and nothing else; a
 * notification that it makes up lets them look at their tables once, and no more.
 *
 * @throws {StoreError} If a name is refused, the schema holds something else or belongs to a role that the login does
 * not trust, the role is somebody else's, or the login lacks the right; the message says which.
 * @throws {TypeError} If there is a password without a role, or it is none.
 *
 * @example
 * ```ts ignore
 * await createTenant("postgres://admin@localhost/app", { schema: "acme", role: "acme", password });
 * await using runner = await createRunner(`postgres://acme:${password}@localhost/app`, { schema: "acme", workflows });
 * ```
 */
export async function createTenant(url: string, options: CreateTenantOptions): Promise<boolean> {
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
 * Removes a tenant with all its runs, and its role if it is named. Answers whether anything was there. Stop its runners
 * first: those that go on fail.
 *
 * @throws {StoreError} If the schema is not Sluice's, belongs to a role that the login does not trust, or holds something
 * else as well, the role was not made by
 * `createTenant()` for it, or the login lacks the right; then nothing is removed.
 */
export async function removeTenant(url: string, options: RemoveTenantOptions): Promise<boolean> {
  const schema = checkTenant(options.schema);
  const role = options.role === undefined ? undefined : checkRole(options.role);
  return await administer(url, schema, options, (session) =>
    session.once("care", async ({ run }) => {
      await lock(run, schema);
      const isDropped = await told(session, "drop this schema", "use the role that owns it", () => drop(session, run));
      if (role === undefined) return isDropped;
      const isRoleDropped = await told(session, "drop this role", "use the role that made it", () =>
        dropRole(session, run, role));
      return isDropped || isRoleDropped;
    }));
}

/**
 * The tenants of a database, by name: each schema with Sluice's tables that the login may read, and that belong to the
 * login, to a superuser, or to a role whose rights the login has. Others are left out, with a warning to the logger:
 * to read from a table executes what its owner has attached to it.
 *
 * @throws {StoreError} If the database cannot be used.
 */
export async function listTenants(url: string, options: TenantAdminOptions = {}): Promise<readonly Tenant[]> {
  return await administer(url, "pg_catalog", options, readTenants);
}

function checkTenant(schema: unknown): string {
  const name = checkSchema(schema);
  if (name !== "public") return name;
  throw new StoreError("invalid_schema", `Cannot use "public" for the name of a tenant's schema: it is everybody's`);
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
  // Statements that are used once are not worth preparing, and then any pooler will do.
  const line = lineFor("care", { address, prepare: false, label: "tenants", logger });
  const lines = { flush: line, claim: line, keys: line, heartbeat: line, read: line, care: line };
  const session = createSession({ name: address.name, schema, lines, clock: undefined, logger });
  try {
    return await openSession(session, { timeoutMs: connectTimeoutMs, readOnly: false }, once);
  } finally {
    session.close();
    await line.close();
  }

  async function once(): Promise<T> {
    try {
      return await work(session);
    } catch (error) {
      // Somebody made the same role, in another database, at the same moment: now it is there to be seen.
      if (isDuplicate(error)) return await work(session);
      throw error;
    }
  }
}

/** Says what right the login lacks. */
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
  await lock(run, session.schema);
  await refuseUntrusted(session, run);
  const before = await migrateWithin(session, run);
  await refuseStrangers(session, run);
  return before;
}

/** Drops our tables and then the schema, never with what depends on them. */
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
    `Cannot change tenant "${schema}" of ${name}: its schema also holds what is not Sluice's (${shown}); a tenant needs ` +
      "a schema of its own",
  );
}

/** The lock under which a schema is made and changed. */
async function lock(run: Run, schema: string): Promise<void> {
  await run("select pg_advisory_xact_lock(hashtext('sluice'), hashtext($1))", [schema]);
}
