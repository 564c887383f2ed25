/**
 * The owners whose tables an administrator may use. Access to a view, or to a table with policies, triggers or indexes
 * on functions, executes its owner's code with the rights of the reader. So the login of an administrator reads and
 * changes only tables that belong to itself, to a superuser, or to a role whose rights it has been granted anyway.
 *
 * @module
 */
import { StoreError } from "../../../errors.ts";
import { TABLES } from "./schema.ts";
import type { Run, Session } from "../connect/session.ts";

/** SQL for whether a role, given as an expression for its oid, is trusted by the login. */
export function isTrusted(role: string): string {
  return `exists (
         select 1
           from pg_catalog.pg_roles as o, pg_catalog.pg_roles as me
          where me.rolname = current_user
            and o.oid = case when pg_get_userbyid(${role}) <> 'pg_database_owner' then ${role}
                             else (select datdba from pg_catalog.pg_database where datname = current_database()) end
            and (o.oid = me.oid or o.rolsuper or (not me.rolsuper and pg_has_role(o.oid, 'usage'))))`;
}

const STRANGERS = `
select distinct pg_get_userbyid(t.owner)::text as owner
  from (select nspowner as owner
          from pg_catalog.pg_namespace
         where nspname = $1
         union all
        select c.relowner
          from pg_catalog.pg_class as c
          join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
         where n.nspname = $1 and c.relname = any($2::text[])) as t
 where not ${isTrusted("t.owner")}
 order by 1
 limit 1`;

/** Throws if a schema, or a table with a name of Sluice's in it, belongs to a role that the login does not trust. */
export async function refuseUntrusted({ name, schema }: Session, run: Run): Promise<void> {
  const [stranger] = await run(STRANGERS, [schema, `{${TABLES.join(",")}}`]);
  if (stranger === undefined) return;
  throw new StoreError(
    "foreign_owner",
    `Cannot change tenant "${schema}" of ${name}: ${untrusted(String(stranger["owner"]))}`,
  );
}

/** Returns the reason why objects of an owner are refused, with the remedy. */
export function untrusted(owner: string): string {
  return `its schema or tables belong to role "${owner}", whose views and triggers would be executed with the rights ` +
    "of this login; use that role, or make the login their owner";
}
