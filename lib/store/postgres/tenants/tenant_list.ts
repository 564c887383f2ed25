import { faultOf } from "../connect/faults.ts";
import { DUE, STRANDED } from "../fleet/claim_sql.ts";
import { SCHEMA_VERSION } from "../schema/migrations.ts";
import { isTrusted, untrusted } from "../schema/owners.ts";
import { PAUSED } from "../../sql/sources.ts";
import { heldSql } from "../fleet/held.ts";
import { TABLES } from "../schema/schema.ts";
import type { Session } from "../connect/session.ts";

/** A tenant of a database. */
export interface Tenant {
  /** The schema. */
  readonly schema: string;
  /** The version of its tables. */
  readonly version: number;
  /** Runs that have not ended; `undefined` if its version is newer than this Sluice. */
  readonly live: number | undefined;
  /** Bytes on disk, indexes included. */
  readonly bytes: number;
  /** The roles that `createTenant()` created for it. */
  readonly roles: readonly string[];
}

// An untrusted role that owns the schema or a table of Sluice's.
const STRANGER = `
       (select pg_get_userbyid(t.owner)
          from (select n.nspowner as owner
                 union all
                select k.relowner
                  from pg_catalog.pg_class as k
                 where k.relnamespace = n.oid and k.relname in (${TABLES.map((table) => `'${table}'`).join(", ")})) as t
         where not ${isTrusted("t.owner")}
         limit 1)`;

// Schemas that the login may not read are left out, and so is a "meta" that cannot be Sluice's, such as a view.
const CANDIDATES = `
select n.nspname as schema, ${STRANGER} as stranger, sum(pg_total_relation_size(c.oid))::bigint as bytes,
       (select json_agg(r.rolname order by r.rolname)
          from pg_catalog.pg_roles as r
         where shobj_description(r.oid, 'pg_authid') =
               format('Sluice tenant %I in database %I', n.nspname, current_database())) as roles
  from pg_catalog.pg_namespace as n
  join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relkind = 'r'
 where n.nspname ~ '^[a-z_][a-z0-9_]{0,47}$'
   and has_schema_privilege(n.oid, 'usage')
   and exists (
         select 1
           from pg_catalog.pg_class as m
          where m.relnamespace = n.oid and m.relname = 'meta' and m.relkind = 'r' and has_table_privilege(m.oid, 'select')
            and 2 = (select count(*)
                       from pg_catalog.pg_attribute as a
                      where a.attrelid = m.oid and a.attname in ('key', 'value')))
 group by n.oid, n.nspname
 order by n.nspname`;

const AT_ONCE = 50;

/** What is needed of a session. */
type Reader = Pick<Session, "name" | "logger" | "single">;

/** Schemas that are Sluice's, by name. Each that is left out is logged once. */
export async function readTenants(session: Reader): Promise<readonly Tenant[]> {
  for (let tries = 1;; tries++) {
    try {
      const { tenants, warnings } = await readOnce(session);
      for (const warning of warnings) session.logger.warn(warning);
      return tenants;
    } catch (error) {
      // A schema was removed since the list was read.
      if (faultOf(error) !== "schema_gone" || tries === 3) throw error;
    }
  }
}

interface Reading {
  readonly tenants: readonly Tenant[];
  /** Why schemas were left out. */
  readonly warnings: readonly string[];
}

async function readOnce(session: Reader): Promise<Reading> {
  const warnings: string[] = [];
  const found = (await session.single("care", CANDIDATES, [])).filter((row) => {
    const { schema, stranger } = row;
    if (stranger === null) return true;
    warnings.push(`Cannot list schema "${schema}" of ${session.name}: ${untrusted(String(stranger))}`);
    return false;
  });
  const versions = await each(
    session,
    found.map((row) => String(row["schema"])),
    (schema) => `(select value::text from "${schema}".meta where key::text = 'sluice_schema' limit 1)`,
  );
  const known = [...versions].flatMap(([schema, value]) => Number(value) <= SCHEMA_VERSION ? [schema] : []);
  const live = await each(session, known, (schema) => liveIn(`"${schema}".`));
  const tenants = found.flatMap((row) => {
    const schema = String(row["schema"]);
    const version = Number(versions.get(schema) ?? NaN);
    if (!Number.isInteger(version)) return [];
    const count = live.get(schema);
    const roles = row["roles"] as readonly string[] | null;
    return [{
      schema,
      version,
      live: count === undefined ? undefined : Number(count),
      bytes: Number(row["bytes"]),
      roles: roles ?? [],
    }];
  });
  return { tenants, warnings };
}

/** Reads a text for each schema, many schemas per statement. */
async function each(
  session: Reader,
  schemas: readonly string[],
  select: (schema: string) => string,
): Promise<ReadonlyMap<string, string | undefined>> {
  const answers = new Map<string, string | undefined>();
  for (let at = 0; at < schemas.length; at += AT_ONCE) {
    const part = schemas.slice(at, at + AT_ONCE);
    const sql = part.map((schema) => `select '${schema}' as schema, ${select(schema)} as answer`).join(" union all ");
    for (const row of await session.single("care", sql, [])) {
      const { schema, answer } = row;
      answers.set(String(schema), typeof answer === "string" ? answer : undefined);
    }
  }
  return answers;
}

/** Every live run is in one of the small parts: it is owned, or paused, or may be claimed, or is stranded. */
function liveIn(schema: string): string {
  const count = (where: string): string => `(select count(*) from ${schema}runs as r where ${where})`;
  const all = [heldSql(schema), `${PAUSED} and owner is null`, DUE, STRANDED].map(count);
  return `(${all.join(" + ")})::text`;
}
