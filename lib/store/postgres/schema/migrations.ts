import { StoreError } from "../../../errors.ts";
import { checkVersion } from "../../shared/read_only.ts";
import { checkSchemaVersion } from "../../shared/schema_version.ts";
import { faultOf, isDuplicate } from "../connect/faults.ts";
import { MIGRATIONS, TABLES } from "./schema.ts";
import type { Run, Session } from "../connect/session.ts";

/** The version of the schema that this code reads and writes. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

const TABLES_THERE = `
select relname as name
  from pg_catalog.pg_class
 where relnamespace = (select oid from pg_catalog.pg_namespace where nspname = $1)
   and relname = any($2::text[])`;

const VERSION = `select value from @meta where key = 'sluice_schema'`;

const SCHEMA_THERE = `
select 1 as one
  from pg_catalog.pg_namespace
 where nspname = $1`;

/** The statements of each step; others than those of the schema in tests. */
type Migrations = readonly (readonly string[])[];

/**
 * Migrates a schema, each step in a separate transaction; safe if other processes do the same concurrently, and while
 * runners work. A statement that changes a table waits for its lock for a short time only, as everything else that
 * needs the table waits behind it; then the step fails as a whole, and the caller repeats it after a pause. An index on
 * a table with rows is created concurrently, or not at all.
 */
export async function migrate(session: Session, migrations: Migrations = MIGRATIONS): Promise<void> {
  const readVersion = (): Promise<number> =>
    versionOf(session, (sql, values) => session.single("care", sql, values ?? []), migrations.length);
  while (await readVersion() < migrations.length) {
    try {
      await session.once("care", ({ run }) => step(session, run, migrations));
    } catch (error) {
      // Another process has created the schema or its first table at the same moment.
      if (isDuplicate(error)) continue;
      if (faultOf(error) !== "not_permitted") throw error;
      const isThere = (await session.single("care", SCHEMA_THERE, [session.schema])).length > 0;
      throw notPermitted(session, isThere ? "change" : "create");
    }
  }
}

/** Checks that a schema is up to date, for a read-only store. */
export async function checkSchemaThere(session: Session): Promise<void> {
  const version = await versionOf(session, (sql, values) => session.single("care", sql, values ?? []));
  checkVersion(version, SCHEMA_VERSION, `Postgres database ${session.name}`);
}

/**
 * Migrates within a single transaction, so that a failure leaves nothing behind; no other session changes the schema
 * until the transaction ends. Returns the version before the migration, 0 for none.
 */
export async function migrateWithin(session: Session, run: Run): Promise<number> {
  const first = await step(session, run);
  for (let version = first; version < SCHEMA_VERSION;) version = await step(session, run);
  return first;
}

/** Executes the next step, if there is one. Returns the version before it. */
async function step(session: Session, run: Run, migrations: Migrations = MIGRATIONS): Promise<number> {
  const { schema } = session;
  await lockSchema(session, run);
  // Read again, now that no other session can migrate.
  const version = await versionOf(session, run, migrations.length);
  const statements = migrations[version];
  if (!statements) return version;
  if (version === 0) {
    const [there] = await run(SCHEMA_THERE, [schema]);
    // Not "if not exists" alone: it requires the right to create schemas even if the schema exists.
    if (there === undefined) await run(`create schema "${schema}"`);
    await run("create table @meta (key text primary key, value text not null)");
    const [lockKey] = crypto.getRandomValues(new Int32Array(1));
    await run("insert into @meta (key, value) values ('lock_key', $1)", [String(lockKey)]);
  }
  for (const sql of statements) await run(sql);
  await run(
    `insert into @meta (key, value)
     values ('sluice_schema', $1)
         on conflict (key) do update set value = excluded.value`,
    [String(version + 1)],
  );
  return version;
}

/**
 * Keeps other sessions from migrating or removing the schema until the transaction ends. The lock is that of a table
 * which tenants may only read: they can hold no lock that conflicts with it, as they could if it were an advisory lock.
 * A schema without the table needs none: of two sessions that create it, one fails with a duplicate.
 */
export async function lockSchema({ schema }: Session, run: Run): Promise<void> {
  const tables = await run(TABLES_THERE, [schema, "{meta}"]);
  if (tables.length > 0) await run("lock table @meta in share row exclusive mode");
}

/** The version of the schema, 0 if it is missing. */
export async function versionOf(session: Session, run: Run, newest: number = SCHEMA_VERSION): Promise<number> {
  const { name, schema } = session;
  const tables = (await run(TABLES_THERE, [schema, `{${TABLES.join(",")}}`])).map((row) => String(row["name"]));
  if (tables.length === 0) return 0;
  return checkSchemaVersion({
    stored: tables.includes("meta") ? await storedVersion(session, run) : undefined,
    newest,
    tables,
    database: `Postgres database ${name}`,
    place: "a schema",
  });
}

const META_COLUMNS = `
select count(*) as columns
  from pg_catalog.pg_attribute
 where attrelid = (select oid
                     from pg_catalog.pg_class
                    where relname = 'meta'
                      and relnamespace = (select oid from pg_catalog.pg_namespace where nspname = $1))
   and attname in ('key', 'value')`;

async function storedVersion(session: Session, run: Run): Promise<unknown> {
  // Checked first, as a failed statement aborts the whole transaction.
  if ((await run(META_COLUMNS, [session.schema]))[0]?.["columns"] !== 2) return undefined;
  try {
    return (await run(VERSION))[0]?.["value"];
  } catch (error) {
    if (faultOf(error) === "not_permitted") throw notPermitted(session, "use");
    throw error;
  }
}

function notPermitted({ name, schema }: Session, what: "create" | "change" | "use"): StoreError {
  const remedies = {
    create: `create schema "${schema}" authorization <role>`,
    change: `grant usage, create on schema "${schema}" to <role>`,
    use: `grant usage on schema "${schema}" to <role>; grant select, insert, update, delete on all tables in schema ` +
      `"${schema}" to <role>`,
  };
  return new StoreError(
    "not_permitted",
    `Cannot use Postgres database ${name}: the role of the URL may not ${what} its schema; let an administrator run: ` +
      remedies[what],
  );
}
