/**
 * Read-only servers, as after a failover: a host name or a list of hosts leads to a standby, and then to the primary.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { StoreError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/logger.ts";
import { openPostgresStore, transaction } from "../../lib/store/postgres/mod.ts";
import { test } from "../harness.ts";
import { type OwnServer, ownServer } from "../postgres_server.ts";
import { type Proxy, startProxy } from "../proxy.ts";
import { until } from "../within.ts";

const flow = workflow("flow", { input: unchecked<number>() })
  .task("a", { run: ({ input }) => input + 1 })
  .task("b", {
    after: ["a"],
    ...transaction,
    run: async ({ a, tx }) => Number((await tx`select ${a}::int as n`)[0]?.["n"]),
  })
  .returns("b");

/** A primary and a standby with the same schema, and the host and port of each. */
async function pair(): Promise<AsyncDisposable & { primary: Target; standby: Target; server: OwnServer }> {
  const server = await ownServer();
  await (await openPostgresStore(server.url)).close();
  const standby = targetOf(await server.standby());
  return { server, primary: targetOf(server.url), standby, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

interface Target {
  readonly host: string;
  readonly port: number;
}

function targetOf(url: string): Target {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

function urlOf(targets: readonly Target[], query = ""): string {
  return `postgres://sluice:sluice@${targets.map(({ host, port }) => `${host}:${port}`).join(",")}/postgres${query}`;
}

function proxyUrl({ port }: Proxy): string {
  return urlOf([{ host: "127.0.0.1", port }]);
}

function recorder(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  return { lines, logger: { debug() {}, info() {}, warn: log, error: log } };
}

test("postgres: a runner whose host name temporarily leads to a standby disconnects, and continues on the primary", async () => {
  await using two = await pair();
  await using proxy = await startProxy(two.primary);
  const { logger, lines } = recorder();
  const store = await openPostgresStore(proxyUrl(proxy), { logger });
  await using _closed = { [Symbol.asyncDispose]: () => store.close() };
  await using runner = await createRunner(store, { workflows: [flow], logger });
  assertEquals(await (await runner.start(flow, 1)).result(), 2);
  proxy.lead(two.standby);
  proxy.cut();
  const run = runner.start(flow, 2);
  const retries = store.counters().retries;
  await until(() => store.counters().retries > retries + 3);
  // Open connections are kept.
  proxy.lead(two.primary);
  assertEquals(await (await run).result(), 3);
  // Reads are not sent to the standby either.
  assertEquals((await store.counts()).completed, 2);
  assert(lines.some((line) => line.includes("read-only")), lines.join("\n"));
});

test("postgres: a host that is a standby is skipped, also while the store is opened", async () => {
  await using two = await pair();
  const store = await openPostgresStore(urlOf([two.standby, two.primary]));
  await using _closed = { [Symbol.asyncDispose]: () => store.close() };
  await using runner = await createRunner(store, { workflows: [flow] });
  assertEquals(await (await runner.start(flow, 1)).result(), 2);
  assertEquals((await store.counts()).completed, 1);
});

test("postgres: a store that is opened on a standby waits until the standby is promoted", async () => {
  await using two = await pair();
  await using proxy = await startProxy(two.standby);
  const { logger, lines } = recorder();
  const opening = openPostgresStore(proxyUrl(proxy), { logger });
  await until(() => lines.length > 0);
  assertStringIncludes(lines[0]!, "read-only");
  proxy.lead(two.primary);
  const store = await opening;
  assertEquals((await store.counts()).completed, 0);
  await store.close();
});

test("postgres: opening a store on a standby fails after the configured time if the standby is not promoted", async () => {
  await using two = await pair();
  const error = await assertRejects(
    () => openPostgresStore(urlOf([two.standby]), { connectTimeoutMs: 3_000 }),
    StoreError,
  );
  assertEquals(error.code, "read_only");
});

for (
  const [target, isStandby] of [
    ["any", undefined],
    ["primary", false],
    ["read-write", false],
    ["standby", true],
    ["read-only", true],
    ["prefer-standby", true],
  ] as const
) {
  test(`postgres: target_session_attrs=${target} selects its server, independent of the order of hosts`, async () => {
    await using two = await pair();
    const isInRecovery = async (targets: readonly Target[]): Promise<boolean> => {
      const url = urlOf(targets, `?target_session_attrs=${target}`);
      const store = await openPostgresStore(url, { readOnly: true, connectTimeoutMs: 30_000 });
      // A read-only store may use either server; the primary shows which connections it has.
      const at = await connectedTo(two);
      await store.close();
      return at;
    };
    const both = [await isInRecovery([two.primary, two.standby]), await isInRecovery([two.standby, two.primary])];
    assertEquals(both, isStandby === undefined ? [false, true] : [isStandby, isStandby]);
    if (target === "prefer-standby") assertEquals(await isInRecovery([two.primary, two.primary]), false);
  });
}

/** Returns whether the connection of a read-only store is to the standby. */
async function connectedTo({ standby, primary }: { standby: Target; primary: Target }): Promise<boolean> {
  const { default: postgres } = await import("postgres");
  const counts: number[] = [];
  for (const one of [standby, primary]) {
    const sql = postgres(urlOf([one]), { max: 1, onnotice() {} });
    const [row] = await sql`
      select count(*)::int as n from pg_stat_activity where application_name like 'sluice read%'`;
    counts.push(Number(row?.["n"]));
    await sql.end();
  }
  assertEquals(counts.reduce((sum, n) => sum + n), 1);
  return counts[0] === 1;
}

test("postgres: opening a writable store with a URL that requires a standby fails immediately", async () => {
  for (const target of ["standby", "read-only", "prefer-standby"]) {
    const url = urlOf([{ host: "127.0.0.1", port: 1 }], `?target_session_attrs=${target}`);
    const error = await assertRejects(() => openPostgresStore(url), StoreError);
    assertEquals(error.code, "invalid_url");
    assertStringIncludes(error.message, "readOnly");
  }
});
