/** A real PgBouncer, where it is installed, in front of the server, configured as in docs/postgres.md. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createPostgresPool, openPostgresStore, transaction } from "../../lib/store/postgres/mod.ts";
import { createClient, createRunner, StoreError, unchecked, workflow } from "../../mod.ts";
import { spawnExecutable } from "../child.ts";
import { skipped, test } from "../harness.ts";
import { freePort } from "../ports.ts";
import { findProgram, listening } from "../programs.ts";
import { tempDir } from "../temp_dir.ts";
import { until } from "../within.ts";
import { testSchema } from "./postgres_schema.ts";

const program = findProgram("pgbouncer");

const flow = workflow("flow", { input: unchecked<number>() })
  .map("squares", { over: ({ input }) => Array.from({ length: input }, (_, at) => at), run: ({ item }) => item * item })
  .task("stored", {
    after: ["squares"],
    ...transaction,
    run: async ({ squares, tx }) => Number((await tx`select ${squares.length}::int4 as n`)[0]!["n"]),
  })
  .event("go", { after: ["stored"], schema: unchecked<string>() })
  .returns("stored");

if (program === undefined) skipped("PgBouncer in each mode", "no pgbouncer here");
else {
  test("in transaction mode with prepare: false runs complete, and a warning states that notifications do not arrive", async () => {
    await using on = testSchema();
    await using bouncer = await startBouncer(program, on.url, "transaction");
    const warnings: string[] = [];
    const logger = { debug() {}, info() {}, warn: (line: string) => void warnings.push(line), error() {} };
    const store = await openPostgresStore(bouncer.url, { schema: on.schema, prepare: false, logger });
    {
      await using runner = await createRunner(store, { workflows: [flow], logger });
      await using other = await createClient(on.url, { schema: on.schema, workflows: [flow] });
      const runs = await runner.startMany(flow, [1, 2, 3, 4, 5]);
      // Changes by another process are found by the next poll.
      for (const { id } of runs) await other.send(id, "go", "on");
      assertEquals(await Promise.all(runs.map((run) => run.result())), [1, 2, 3, 4, 5]);
      await until(() => warnings.some((line) => line.includes("notifications from other processes arrive late")));
    }
    await store.close();
  });

  test("in transaction mode the tenants of a pool with prepare: false complete their runs", async () => {
    await using on = testSchema();
    await using second = testSchema();
    await using bouncer = await startBouncer(program, on.url, "transaction");
    await using pool = createPostgresPool(bouncer.url, { prepare: false });
    for (const { schema } of [on, second]) {
      await using runner = await createRunner(await pool.store({ schema }), { workflows: [flow], logger: false });
      const run = await runner.start(flow, 3);
      await run.send("go", "on");
      assertEquals(await run.result(), 3);
    }
  });

  test("in session mode a pooler that rejects settings is reported, and one that ignores them works", async () => {
    await using on = testSchema();
    {
      await using bouncer = await startBouncer(program, on.url, "session");
      const opened = createRunner(bouncer.url, { schema: on.schema, workflows: [flow], logger: false });
      const error = await opened.catch((error) => error);
      assert(error instanceof StoreError, String(error));
      assertEquals(error.code, "unsupported_pooler");
      assertStringIncludes(error.message, "prepare: false");
    }
    const ignored =
      "ignore_startup_parameters = tcp_keepalives_idle, tcp_keepalives_interval, tcp_keepalives_count, plan_cache_mode, " +
      "enable_seqscan, enable_nestloop, jit, lock_timeout, search_path, statement_timeout, " +
      "idle_in_transaction_session_timeout";
    await using bouncer = await startBouncer(program, on.url, "session", ignored);
    await using runner = await createRunner(bouncer.url, { schema: on.schema, workflows: [flow], logger: false });
    const run = await runner.start(flow, 3);
    await run.send("go", "on");
    assertEquals(await run.result(), 3);
  });
}

async function startBouncer(executable: string, url: string, mode: "session" | "transaction", extra = "") {
  const dir = tempDir();
  const { hostname, port, username, password, pathname } = new URL(url);
  const to = `host=${hostname} port=${port || 5432} user=${username} password=${password}`;
  const from = await freePort();
  const config = join(dir.path, "pgbouncer.ini");
  const lines = [
    "[databases]",
    `${pathname.slice(1)} = ${to}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${from}`,
    "unix_socket_dir =",
    "auth_type = any",
    `pool_mode = ${mode}`,
    extra,
  ];
  writeFileSync(config, lines.join("\n"));
  // PgBouncer does not run as root.
  chmodSync(dir.path, 0o755);
  const user = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const child = spawnExecutable(["-q", ...user, config], { executable });
  await listening(child, from);
  return {
    url: `postgres://any@127.0.0.1:${from}${pathname}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.exited;
      dir[Symbol.dispose]();
    },
  };
}
