import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StoreError } from "../../lib/errors.ts";
import { SCHEMA_VERSION } from "../../lib/store/postgres/schema/migrations.ts";
import { createTenant, listTenants, openPostgresStore, removeTenant } from "../../lib/store/postgres/mod.ts";
import { test } from "../harness.ts";
import { startProxy } from "../proxy.ts";
import { commit, newRun } from "../store/contract/fixture.ts";
import { connect, openSite, type Site, urlFor } from "./site.ts";

const NOWHERE = "postgres://nobody:hunter2@127.0.0.1:1/none";

/** Returns the error of a rejected call, and asserts that it does not contain the password that all these tests use. */
async function refused(work: () => Promise<unknown>): Promise<StoreError> {
  const error = await assertRejects(work, StoreError);
  assert(!`${error.message}${error.stack}${String(error.cause)}`.includes("hunter2"), error.message);
  return error;
}

/** Returns whether a schema or a role of that name exists. */
async function left({ sql }: Site, name: string): Promise<{ schema: boolean; role: boolean }> {
  const [row] =
    await sql`select to_regnamespace(${name}) is not null as schema, to_regrole(${name}) is not null as role`;
  return { schema: row?.["schema"], role: row?.["role"] };
}

test("hostile names of tenants and roles are rejected before a connection is opened", async () => {
  const hostile = [
    ...['x"; drop table y; --', "x'; select 1; --", "x;y", "x\0", "x\n", "x y", "a.b", "", "1st", "Upper", "ä", "$1"],
    ...["a".repeat(49), "pg_mine", "pg_catalog", "public"],
  ];
  for (const name of [...hostile, "information_schema", 7 as unknown as string, undefined as unknown as string]) {
    const created = await refused(() => createTenant(NOWHERE, { schema: name }));
    const removed = await refused(() => removeTenant(NOWHERE, { schema: name }));
    assertEquals([created.code, removed.code], ["invalid_schema", "invalid_schema"], String(name));
  }
  for (const role of [...hostile, "none"]) {
    const created = await refused(() => createTenant(NOWHERE, { schema: "fine", role, password: "hunter2" }));
    const removed = await refused(() => removeTenant(NOWHERE, { schema: "fine", role }));
    assertEquals([created.code, removed.code], ["invalid_role", "invalid_role"], role);
  }
});

test("a password without a role and an invalid password are rejected", async () => {
  await assertRejects(() => createTenant(NOWHERE, { schema: "x", password: "hunter2" }), TypeError, "it needs a role");
  for (const password of ["", "a\0b", 5 as unknown as string]) {
    await assertRejects(() => createTenant(NOWHERE, { schema: "x", role: "x", password }), TypeError, "its password");
  }
});

test("a tenant is created once by repeated and concurrent calls", async () => {
  await using site = openSite();
  const schema = site.name();
  const all = Array.from({ length: 8 }, () => createTenant(site.url, { schema, role: schema, password: "hunter2" }));
  assertEquals((await Promise.all(all)).filter((isNew) => isNew).length, 1);
  assertEquals(await createTenant(site.url, { schema }), false);
  const store = await openPostgresStore(urlFor(schema, "hunter2"), { schema });
  await commit(store, { starts: [newRun(), newRun()] });
  await store.close();
  const tenant = (await listTenants(site.url)).find((one) => one.schema === schema);
  const { bytes = 0, ...rest } = tenant ?? {};
  assertEquals(rest as unknown, { schema, version: SCHEMA_VERSION, live: 2, roles: [schema] });
  assert(bytes > 0);
});

test("creating a tenant again changes its password, or keeps it if none is given", async () => {
  await using site = openSite();
  const { schema, url } = await site.create();
  await createTenant(site.url, { schema, role: schema });
  await (await openPostgresStore(url, { schema })).close();
  // Quotes and composed characters: no part of a password is interpreted as SQL.
  const password = `hunter2 ' " \\ $$ é`;
  await createTenant(site.url, { schema, role: schema, password });
  await (await openPostgresStore(urlFor(schema, password), { schema })).close();
  // A server with trust authentication, as used by some test environments, does not check passwords.
  const sql = connect(urlFor(schema, "wrong"));
  const trusts = await sql`select 1`.then(() => true, () => false);
  await sql.end({ timeout: 1 });
  if (!trusts) assertEquals((await refused(() => openPostgresStore(url, { schema }))).code, "login_failed");
});

test("a password appears in no statement that the server receives, and in no message", async () => {
  await using site = openSite();
  const schema = site.name();
  const { hostname, port } = new URL(site.url);
  await using proxy = await startProxy({ host: hostname, port: Number(port) });
  let isSeen = false;
  void proxy.asked("hunter2").then(() => void (isSeen = true));
  const hashed = proxy.asked("SCRAM-SHA-256$4096:");
  const through = new URL(site.url);
  through.port = String(proxy.port);
  await createTenant(through.href, { schema, role: schema, password: "hunter2" });
  await hashed;
  assertEquals(isSeen, false);
  const lines: string[] = [];
  const log = (message: string, fields?: unknown): void => void lines.push(message + JSON.stringify(fields ?? {}));
  const logger = { debug: log, info: log, warn: log, error: log };
  const error = await refused(() =>
    createTenant(NOWHERE, { schema, role: schema, password: "hunter2", connectTimeoutMs: 100, logger })
  );
  assertEquals(error.code, "cannot_connect");
  assert(lines.length > 0 && !lines.join().includes("hunter2"));
});

test("a login that may not create schemas gets an error that says so, and one that may not create roles leaves nothing behind", async () => {
  await using site = openSite();
  const [admin, schema] = [site.name(), site.name()];
  const database = new URL(site.url).pathname.slice(1);
  await site.sql.unsafe(`create role "${admin}" login password 'hunter2'`);
  const url = urlFor(admin, "hunter2");
  const first = await refused(() => createTenant(url, { schema }));
  assertEquals(first.code, "not_permitted");
  assertStringIncludes(first.message, "may not create schemas here (permission denied for database");
  await site.sql.unsafe(`grant create on database "${database}" to "${admin}"`);
  try {
    const second = await refused(() => createTenant(url, { schema, role: schema, password: "hunter2" }));
    assertEquals(second.code, "not_permitted");
    assertStringIncludes(second.message, "may not make roles (permission denied to create role)");
    assertEquals(await left(site, schema), { schema: false, role: false });
    assertEquals(await createTenant(url, { schema }), true);
    assertEquals(await removeTenant(url, { schema }), true);
  } finally {
    await site.sql.unsafe(`drop owned by "${admin}"`);
  }
});

test("a role that was not created for this tenant is neither changed nor dropped", async () => {
  await using site = openSite();
  const [mine, schema] = [site.name(), site.name()];
  const other = await site.create();
  await site.sql.unsafe(`create role "${mine}" createdb`);
  for (const role of [mine, other.schema, new URL(site.url).username]) {
    const error = await refused(() => createTenant(site.url, { schema, role, password: "hunter2" }));
    assertEquals(error.code, "role_taken");
    assertEquals(await left(site, schema), { schema: false, role: false });
  }
  await createTenant(site.url, { schema });
  assertEquals((await refused(() => removeTenant(site.url, { schema, role: mine }))).code, "role_taken");
  assertEquals([(await left(site, schema)).schema, (await left(site, mine)).role], [true, true]);
  // The role keeps its password.
  await (await openPostgresStore(other.url, { schema: other.schema })).close();
});

test("a schema with objects of another owner does not become a tenant", async () => {
  await using site = openSite();
  const schema = site.name();
  await site.sql.unsafe(`create schema "${schema}"`);
  assertEquals((await refused(() => removeTenant(site.url, { schema }))).code, "not_a_tenant");
  await site.sql.unsafe(`create table "${schema}".customers (id int primary key generated always as identity)`);
  const error = await refused(() => createTenant(site.url, { schema, role: schema }));
  assertEquals(error.code, "foreign_tables");
  assertStringIncludes(error.message, `sequence ${schema}.customers_id_seq, table ${schema}.customers`);
  assertEquals(await left(site, schema), { schema: true, role: false });
  assertEquals(
    (await site.sql`select relname from pg_class where relnamespace = ${schema}::regnamespace
                                  and relkind = 'r'`).map(({ relname }) => relname),
    ["customers"],
  );
});

test("an empty schema that an administrator has created becomes a tenant", async () => {
  await using site = openSite();
  const schema = site.name();
  await site.sql.unsafe(`create schema "${schema}"`);
  assertEquals(await createTenant(site.url, { schema }), true);
  assertEquals(await removeTenant(site.url, { schema }), true);
});

test("removing a tenant removes its schema and its role, and may be repeated", async () => {
  await using site = openSite();
  const { schema, url } = await site.create();
  const store = await openPostgresStore(url, { schema });
  await commit(store, { starts: [newRun()] });
  await store.close();
  assertEquals(await removeTenant(site.url, { schema, role: schema }), true);
  assertEquals(await left(site, schema), { schema: false, role: false });
  assertEquals(await removeTenant(site.url, { schema, role: schema }), false);
  assertEquals((await listTenants(site.url)).filter((one) => one.schema === schema), []);
});

test("a role that an earlier removal left behind is removed by a later one", async () => {
  await using site = openSite();
  const { schema } = await site.create();
  assertEquals(await removeTenant(site.url, { schema }), true);
  assertEquals(await left(site, schema), { schema: false, role: true });
  assertEquals(await removeTenant(site.url, { schema, role: schema }), true);
  assertEquals(await left(site, schema), { schema: false, role: false });
});

test("a schema of another application is not removed, whatever the names of its tables are", async () => {
  await using site = openSite();
  const schema = site.name();
  await site.sql.unsafe(`create schema "${schema}"`);
  for (
    const sql of [
      `create table "${schema}".customers (name text)`,
      `create table "${schema}".runs (id int)`,
      `create table "${schema}".meta (key text, value text)`,
    ]
  ) {
    await site.sql.unsafe(sql);
    const error = await refused(() => removeTenant(site.url, { schema }));
    assertEquals(error.code, "not_a_tenant");
    assertStringIncludes(error.message, `Cannot remove schema "${schema}"`);
  }
  assertEquals((await listTenants(site.url)).filter((one) => one.schema === schema), []);
  assertEquals((await site.sql.unsafe(`select * from "${schema}".customers`)).length, 0);
});

test("a tenant that contains objects of another owner, or on which other objects depend, is not removed", async () => {
  await using site = openSite();
  const { schema } = await site.create();
  await site.sql.unsafe(`create view "${schema}".mine as select 1`);
  const strange = await refused(() => removeTenant(site.url, { schema }));
  assertEquals(strange.code, "foreign_tables");
  assertStringIncludes(strange.message, `(view ${schema}.mine)`);
  const reports = site.name();
  await site.sql.unsafe(`drop view "${schema}".mine`);
  await site.sql.unsafe(`create schema "${reports}"`);
  await site.sql.unsafe(`create view "${reports}".all_runs as select * from "${schema}".runs`);
  const used = await refused(() => removeTenant(site.url, { schema, role: schema }));
  assertEquals(used.code, "tenant_in_use");
  assertEquals(await left(site, schema), { schema: true, role: true });
  assertEquals((await site.sql.unsafe(`select * from "${reports}".all_runs`)).length, 0);
});

test("a tenant of a newer version of Sluice is listed as such, and neither changed nor removed", async () => {
  await using site = openSite();
  const { schema } = await site.create();
  await site.sql.unsafe(`update "${schema}".meta set value = '999'`);
  assertEquals((await refused(() => createTenant(site.url, { schema }))).code, "newer_schema");
  assertEquals((await refused(() => removeTenant(site.url, { schema }))).code, "newer_schema");
  const tenant = (await listTenants(site.url)).find((one) => one.schema === schema);
  assertEquals([tenant?.version, tenant?.live], [999, undefined]);
  await site.sql.unsafe(`update "${schema}".meta set value = '1'`);
});

test("the login of a tenant lists only its own tenant, and can remove none", async () => {
  await using site = openSite();
  const [first, second] = [await site.create(), await site.create()];
  assertEquals((await listTenants(first.url)).map(({ schema }) => schema), [first.schema]);
  for (const { schema } of [first, second]) {
    const error = await refused(() => removeTenant(first.url, { schema }));
    assertEquals(error.code, "not_permitted");
  }
  const all = (await listTenants(site.url)).map(({ schema }) => schema);
  assertEquals([all.includes(first.schema), all.includes(second.schema)], [true, true]);
});

/** Schemas that look like a tenant and execute code of their owner in the session that reads them. */
const TRAPS: Readonly<Record<string, string>> = {
  "views": `
    create view meta as select 'sluice_schema'::text as key, @trap() as value;
    create view runs as select @trap() as owner`,
  "types": `
    create type trapped as enum ('1');
    create function text_of(trapped) returns text language sql as $$ select @trap() $$;
    create cast (trapped as text) with function text_of(trapped) as implicit;
    create table meta (key text, value trapped);
    insert into meta values ('sluice_schema', '1')`,
  "indexes": `
    create table meta (key text, value text);
    create function cheap() returns text immutable language sql as $$ select 'x' $$;
    create index on meta ((key || cheap()));
    create or replace function cheap() returns text immutable language plpgsql as $$ begin return @trap(); end $$`,
};

test("the session of an administrator executes no code that another role has hidden in a schema that looks like a tenant", async () => {
  await using site = openSite();
  const attacker = site.name();
  const database = new URL(site.url).pathname.slice(1);
  await site.sql.unsafe(`create role "${attacker}" login password 'hunter2'`);
  await site.sql.unsafe(`grant create on database "${database}" to "${attacker}"`);
  const sql = connect(urlFor(attacker, "hunter2"));
  try {
    for (const [name, statements] of Object.entries(TRAPS)) {
      const schema = site.name();
      await sql.unsafe(
        `create schema "${schema}"; grant usage on schema "${schema}" to public; set search_path = "${schema}"`,
      );
      await sql.unsafe("create sequence sprung");
      await sql.unsafe(`create function trap() returns text language plpgsql
        as 'begin perform nextval(''"${schema}".sprung''); return 1; end'`);
      await sql.unsafe(statements.replaceAll("@trap", `"${schema}".trap`));
      const lines: string[] = [];
      const logger = { debug() {}, info() {}, warn: (line: string) => void lines.push(line), error() {} };
      const listed = await listTenants(site.url, { logger }).catch(() => []);
      const changes = [createTenant, removeTenant].map((change) => refused(() => change(site.url, { schema })));
      const codes = (await Promise.all(changes)).map(({ code }) => code);
      const [sprung] = await site.sql.unsafe(`select is_called from "${schema}".sprung`);
      assertEquals({ name, sprung: sprung?.["is_called"], codes }, {
        name,
        sprung: false,
        codes: ["foreign_owner", "foreign_owner"],
      });
      assertEquals(listed.filter((one) => one.schema === schema), [], name);
      const isCandidate = name !== "views";
      assertEquals(lines.filter((line) => line.includes(`role "${attacker}"`)).length, isCandidate ? 1 : 0, name);
      await sql.unsafe(`drop schema "${schema}" cascade`);
    }
  } finally {
    await sql.end({ timeout: 1 });
    await site.sql.unsafe(`drop owned by "${attacker}" cascade`);
  }
});

test("an administrator without superuser rights lists and changes the tenants that it has created", async () => {
  await using site = openSite();
  const [admin, schema] = [site.name(), site.name()];
  const database = new URL(site.url).pathname.slice(1);
  await site.sql.unsafe(`create role "${admin}" login createrole password 'hunter2'`);
  await site.sql.unsafe(`grant create on database "${database}" to "${admin}"`);
  const url = urlFor(admin, "hunter2");
  try {
    const tenant = { schema, role: schema, password: "hunter2" };
    assertEquals([await createTenant(url, tenant), await createTenant(url, tenant)], [true, false]);
    // The tenant reads objects of another role, and that role is its administrator.
    for (const [login, seen] of [[url, 1], [urlFor(schema, "hunter2"), 0], [site.url, 0]] as const) {
      assertEquals((await listTenants(login)).filter((one) => one.schema === schema).length, seen);
    }
    assertEquals(await removeTenant(url, tenant), true);
  } finally {
    await site.sql.unsafe(`drop owned by "${admin}" cascade`);
  }
});
