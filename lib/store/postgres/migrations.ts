import { StoreError } from "../../errors.ts";
import { checkVersion } from "../read_only.ts";
import { faultOf } from "./faults.ts";
import { MIGRATIONS, TABLES } from "./schema.ts";
import type { Run, Session } from "./session.ts";

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

/** Brings a schema up to date, each step in a transaction of its own, whoever else does the same at the same time. */
export async function migrate(session: Session): Promise<void> {
  while (await versionOf(session, (sql, values) => session.single("care", sql, values ?? [])) < SCHEMA_VERSION) {
    try {
      await session.once("care", ({ run }) => step(session, run));
    } catch (error) {
      if (faultOf(error) !== "not_permitted") throw error;
      const isThere = (await session.single("care", SCHEMA_THERE, [session.schema])).length > 0;
      throw notPermitted(session, isThere ? "change" : "create");
    }
  }
}

/** Checks that a schema is up to date, where it is only read. */
export async function checkSchemaThere(session: Session): Promise<void> {
  const version = await versionOf(session, (sql, values) => session.single("care", sql, values ?? []));
  checkVersion(version, SCHEMA_VERSION, `Postgres database ${session.name}`);
}

/**
 * The same within one transaction, so that nothing stays if it fails; nobody else changes the schema until it ends.
 * Answers the version that was there, 0 for none.
 */
export async function migrateWithin(session: Session, run: Run): Promise<number> {
  const first = await step(session, run);
  for (let version = first; version < SCHEMA_VERSION;) version = await step(session, run);
  return first;
}

/** Takes one step, unless there is none to take. Answers the version before it. */
async function step(session: Session, run: Run): Promise<number> {
  const { schema } = session;
  // Of the transaction: one of the session would outlive it behind a pooler.
  await run("select pg_advisory_xact_lock(hashtext('sluice'), hashtext($1))", [schema]);
  // Again, now that nobody else can migrate.
  const version = await versionOf(session, run);
  const statements = MIGRATIONS[version];
  if (!statements) return version;
  if (version === 0) {
    const [there] = await run(SCHEMA_THERE, [schema]);
    // Not "if not exists" alone: it asks for the right to create schemas even where there is nothing to create.
    if (there === undefined) await run(`create schema "${schema}"`);
    await run("create table @meta (key text primary key, value text not null)");
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

/** The version of the schema, 0 if it is not there. */
export async function versionOf(session: Session, run: Run): Promise<number> {
  const { name, schema } = session;
  const tables = (await run(TABLES_THERE, [schema, `{${TABLES.join(",")}}`])).map((row) => String(row["name"]));
  if (tables.length === 0) return 0;
  const version = tables.includes("meta") ? Number(await storedVersion(session, run)) : NaN;
  if (!Number.isInteger(version)) {
    const quoted = tables.map((table) => `"${table}"`).join(", ");
    throw new StoreError(
      "foreign_tables",
      `Cannot use Postgres database ${name}: it has tables of another application with the names that Sluice needs ` +
        `(${quoted}); give Sluice a schema of its own`,
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      "newer_schema",
      `Cannot use Postgres database ${name}: its schema has version ${version}, and this version of Sluice knows ` +
        `only up to ${SCHEMA_VERSION}; use a newer Sluice`,
    );
  }
  return version;
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
  // Asked first, as within a transaction a statement that fails ends all of it.
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
