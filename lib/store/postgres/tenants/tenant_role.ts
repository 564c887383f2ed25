import { StoreError } from "../../../errors.ts";
import type { Run, Session } from "../connect/session.ts";

const FIND = `
select shobj_description(oid, 'pg_authid') is not distinct from
       format('Sluice tenant %I in database %I', $2::text, current_database()) as ours
  from pg_catalog.pg_roles
 where rolname = $1`;

const MARK = `
select format('comment on role %I is %L', $1::text,
              format('Sluice tenant %I in database %I', $2::text, current_database())) as statement`;

/** Creates a role, or reuses the role that was created for this tenant before, and grants its rights. */
export async function grantTo(
  session: Session,
  run: Run,
  role: string,
  verifier: string | undefined,
): Promise<void> {
  const { schema } = session;
  const login = `"${role}" login${verifier === undefined ? "" : ` password '${verifier}'`}`;
  if (await isThere(session, run, role)) {
    if (verifier !== undefined) await run(`alter role ${login}`);
  } else {
    await run(`create role ${login}`);
    const [mark] = await run(MARK, [role, schema]);
    await run(String(mark?.["statement"]));
  }
  for (const sql of grants(schema, role)) await run(sql);
}

/** Drops the role of a tenant; returns whether it existed. */
export async function dropRole(session: Session, run: Run, role: string): Promise<boolean> {
  if (!await isThere(session, run, role)) return false;
  await run(`drop role "${role}"`);
  return true;
}

/** Whether the role exists. A role that was created for another purpose must not be changed or dropped. */
async function isThere({ name, schema }: Session, run: Run, role: string): Promise<boolean> {
  const [found] = await run(FIND, [role, schema]);
  if (found === undefined || found["ours"] === true) return found !== undefined;
  throw new StoreError(
    "role_taken",
    `Cannot use role "${role}" for tenant "${schema}" of ${name}: a role of that name exists, which createTenant() did ` +
      "not create for this tenant; choose another name",
  );
}

function grants(schema: string, role: string): readonly string[] {
  return [
    `grant usage on schema "${schema}" to "${role}"`,
    `grant select, insert, update, delete on all tables in schema "${schema}" to "${role}"`,
    // The table identifies the schema to migrations, and to the check before a drop.
    `revoke insert, update, delete on "${schema}"."meta" from "${role}"`,
    `grant usage, select on all sequences in schema "${schema}" to "${role}"`,
    // For tables and sequences that a later version adds.
    `alter default privileges in schema "${schema}" grant select, insert, update, delete on tables to "${role}"`,
    `alter default privileges in schema "${schema}" grant usage, select on sequences to "${role}"`,
  ];
}
