/**
 * What a tenant costs where there are many in one process: schemas of Postgres over one pool, and SQLite files. How long
 * it takes to make one and to open one, the connections of all, which must be as many as of one, memory, the cost of runs
 * that are spread over all tenants against the same runs of one, and what they do while nobody has anything to do. Each
 * number of tenants has a process of its own.
 *
 * `deno run -A bench/growth/tenants.ts` or `bun bench/growth/tenants.ts`; `--tenants=1000 --runs=1000 --rounds=3
 * --idle=5000 --store=postgres`. Without `--tenants` they are 10, 100 and 1,000.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { databaseUrl } from "../../tests/postgres_server.ts";
import { choice, flag, report, scratch } from "../measure.ts";
import type { StoreKind } from "../stores.ts";

const KINDS = choice<StoreKind>("store", ["sqlite-process", "postgres"]);
const SIZES = flag("tenants", 0) > 0 ? [flag("tenants", 0)] : [10, 100, 1_000];

for (const kind of KINDS) {
  let connections: number | undefined;
  for (const size of SIZES) {
    const result = kind === "postgres" ? await ofSchemas(size) : ofFiles(size);
    report({ bench: "tenants", store: kind, ...result });
    if (kind !== "postgres") continue;
    connections ??= Number(result["connections"]);
    if (!result["connectionsAreConstant"] || result["connections"] !== connections) {
      throw new Error(`${size} tenants have ${result["connections"]} connections, and fewer had ${connections}`);
    }
  }
}

async function ofSchemas(size: number): Promise<Record<string, unknown>> {
  return child(await databaseUrl(["fsync=on"]), size);
}

function ofFiles(size: number): Record<string, unknown> {
  using place = scratch();
  return child(`sqlite://${dirname(place.path)}`, size);
}

function child(url: string, size: number): Record<string, unknown> {
  const script = fileURLToPath(new URL("../children/tenants.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  const name = `bench_${crypto.randomUUID().slice(0, 8)}`;
  const sizes = process.argv.filter((argument) => /^--(runs|rounds|flight|idle)=/.test(argument));
  const args = [...runtime, script, url, name, `--tenants=${size}`, ...sizes];
  // Not by spawn() of the tests, which takes a process of more than a minute for one that hangs.
  const { status, stdout } = spawnSync(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) throw new Error(`the process with ${size} tenants ended with ${status}`);
  return JSON.parse(stdout.toString());
}
