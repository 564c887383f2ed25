/** Servers that only read, as after a failover: a name or a list of hosts leads to one, and then to the primary. */
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

test("postgres: a runner whose host name leads to a standby for a while leaves it, and continues on the primary", async () => {
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
  // Connections that are open stay as they are.
  proxy.lead(two.primary);
  assertEquals(await (await run).result(), 3);
  // Reads do not continue on the standby either.
  assertEquals((await store.counts()).completed, 2);
  assert(lines.some((line) => line.includes("read-only")), lines.join("\n"));
});

test("postgres: the host that is a standby is passed over, also when the store is opened", async () => {
  await using two = await pair();
  const store = await openPostgresStore(urlOf([two.standby, two.primary]));
  await using _closed = { [Symbol.asyncDispose]: () => store.close() };
  await using runner = await createRunner(store, { workflows: [flow] });
  assertEquals(await (await runner.start(flow, 1)).result(), 2);
  assertEquals((await store.counts()).completed, 1);
});

test("postgres: a store that is opened at a standby waits until it is promoted", async () => {
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

test("postgres: a standby that stays one is refused after the time that was given", async () => {
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
  test(`postgres: target_session_attrs=${target} finds its server, whatever comes first`, async () => {
    await using two = await pair();
    const isInRecovery = async (targets: readonly Target[]): Promise<boolean> => {
      const url = urlOf(targets, `?target_session_attrs=${target}`);
      const store = await openPostgresStore(url, { readOnly: true, connectTimeoutMs: 30_000 });
      // A store that only reads may be of either kind; the primary counts who is connected to it.
      const at = await connectedTo(two);
      await store.close();
      return at;
    };
    const both = [await isInRecovery([two.primary, two.standby]), await isInRecovery([two.standby, two.primary])];
    assertEquals(both, isStandby === undefined ? [false, true] : [isStandby, isStandby]);
    if (target === "prefer-standby") assertEquals(await isInRecovery([two.primary, two.primary]), false);
  });
}

/** Whether the connection of a store that only reads is to the standby. */
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

test("postgres: a store that writes is refused at once for a URL that asks for a standby", async () => {
  for (const target of ["standby", "read-only", "prefer-standby"]) {
    const url = urlOf([{ host: "127.0.0.1", port: 1 }], `?target_session_attrs=${target}`);
    const error = await assertRejects(() => openPostgresStore(url), StoreError);
    assertEquals(error.code, "invalid_url");
    assertStringIncludes(error.message, "readOnly");
  }
});
