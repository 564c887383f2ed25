/** Stores that are opened as read-only. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { StoreError } from "../../lib/errors.ts";
import { checkVersion } from "../../lib/store/shared/read_only.ts";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { createHostOrder } from "../../lib/store/postgres/connect/hosts.ts";
import { createLine } from "../../lib/store/postgres/connect/line.ts";
import { openPostgresStore } from "../../lib/store/postgres/store.ts";
import { parsePostgresUrl } from "../../lib/store/postgres/connect/url.ts";
import { test } from "../harness.ts";
import { ask, type Ground, ground, KINDS } from "../inspector/ground.ts";
import { openSite } from "../tenants/site.ts";
import {
  ALL,
  claimBy,
  commit,
  endedBefore,
  join,
  newRun,
  record,
  start,
  startOwned,
  write,
} from "./contract/fixture.ts";

for (const kind of KINDS) {
  test(`${kind}: a read-only store sees the writes of another store`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    const reader = await on.open({ readOnly: true });
    const { seq, id } = await startOwned(store);
    await write(store, { seq, epoch: 1 }, [record("a")]);
    assertEquals([(await reader.run(id))?.state, (await reader.journal(seq)).length], ["running", 1]);
    assertEquals((await reader.counts()).running, 1);
    await write(store, { seq, epoch: 1 }, [record("b")], { to: "completed", at: 1 });
    assertEquals((await reader.run(id))?.state, "completed");
  });

  test(`${kind}: a read-only store rejects every write`, async () => {
    await using on = ground(kind);
    const { id, runner } = await startOwned(await on.open());
    const reader = await on.open({ readOnly: true });
    const writes: (() => Promise<unknown>)[] = [
      () => commit(reader, { starts: [newRun()] }),
      () => reader.claim(claimBy(runner)),
      () => join(reader),
      () => reader.renew(runner, 1),
      () => reader.leave(runner),
      () => reader.control(id, { kind: "cancel", reason: undefined }),
      () => reader.recover({ dead: [runner], recoveryLimit: 1, limit: 1 }),
      () => reader.define([{ workflow: "x", version: "1", structure: "s", graph: "{}" }]),
      () => reader.unstrand([]),
      () => reader.restart({ seq: 1, epoch: 1 }, { retry: [], forget: [] }),
      () => reader.prune(endedBefore(1), 1),
      () => reader.controlMany({ ...ALL, seqs: [1] }, { kind: "resume" }),
      () => reader.tagMany({ ...ALL, seqs: [1] }, { add: ["a"], remove: [] }),
      () => reader.restartMany([]),
      () => reader.deleteRun("none"),
      () => reader.deleteMany({ ...ALL, seqs: [1] }),
      () => reader.insertWithin({}, [newRun()]),
    ];
    for (const attempt of writes) assertEquals((await assertRejects(attempt, StoreError)).code, "read_only");
    assertEquals(reader.counters().commits, 0);
  });

  test(`${kind}: opening a database that is not of this version of Sluice as read-only fails, and does not change it`, async () => {
    await using on = ground(kind);
    assertStringIncludes((await refused(on)).message, kind === "sqlite" ? "no such file" : "no tables of Sluice");
    await on.open();
    await on.run("update meta set value = '99' where key = 'sluice_schema'");
    assertEquals((await refused(on)).code, "newer_schema");
  });
}

test("a schema of an older version is rejected", () => {
  const older = assertThrows(() => checkVersion(1, 2, "SQLite database x"), StoreError);
  assertEquals(older.code, "older_schema");
  assertStringIncludes(older.message, "its schema has version 1");
  assertStringIncludes(older.message, "start a runner of this version");
});

test("sqlite: reading a database through a read-only store does not change a byte of it", async () => {
  await using on = ground("sqlite");
  const path = on.url.slice("sqlite://".length);
  const store = await on.open();
  await start(store, newRun(), newRun());
  await store.close();
  const before = hashOf(path);
  const reader = await on.open({ readOnly: true });
  assertEquals((await reader.counts()).pending, 2);
  await reader.close();
  assertEquals(hashOf(path), before);
});

test("sqlite: the database itself rejects a write, with or without a lock", async () => {
  await using on = ground("sqlite");
  const path = on.url.slice("sqlite://".length);
  await (await on.open()).close();
  for (const isStill of [false, true]) {
    const connection = await openConnection(path, { readOnly: true, isStill });
    assertEquals(connection.prepare("select count(*) as n from runs").get()?.["n"], 0);
    let message = "";
    try {
      connection.exec("delete from runs");
    } catch (error) {
      message = String(error);
    }
    assertStringIncludes(message, "readonly");
    connection.close();
  }
});

test("postgres: the server itself rejects a write", async () => {
  await using on = ground("postgres");
  const line = createLine({
    address: parsePostgresUrl(on.url),
    hosts: createHostOrder(1),
    applicationName: "reader",
    deadlineMs: 5_000,
    prepare: true,
    readOnly: true,
  });
  const error = await assertRejects(() => line.query(`create schema "never_${on.schema}"`, []));
  assert(error instanceof Error && "code" in error);
  assertEquals(error.code, "25006");
  await line.close();
});

test("postgres: a read-only store needs only the right to select, and one connection", async () => {
  await using site = openSite();
  const { schema } = await site.create();
  const role = site.name();
  await site.sql.unsafe(`create role "${role}" login password 'reader';
                         grant usage on schema "${schema}" to "${role}";
                         grant select on all tables in schema "${schema}" to "${role}"`);
  const url = new URL(site.url);
  url.username = role;
  url.password = "reader";
  const store = await openPostgresStore(url.href, { schema, readOnly: true });
  const { inspection } = store;
  assertEquals((await inspection.tally(10)).total, 0);
  assertEquals(await inspection.find("key", 1), []);
  assertEquals([await store.runners(), await store.groups(), await store.facts(1)], [[], [], []]);
  for (const path of ["/runs", "/api/runs?q=key&tag=a", "/workflows", "/runners", "/metrics", "/healthz"]) {
    const answer = await ask(store)(path);
    assertEquals([path, answer.status], [path, 200]);
    await answer.body?.cancel();
  }
  assertEquals(await site.connections(url.href), 1);
  await store.close();
  await site.sql.unsafe(`drop owned by "${role}"`);
});

async function refused(on: Ground): Promise<StoreError> {
  return await assertRejects(() => on.open({ readOnly: true }), StoreError);
}

function hashOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
