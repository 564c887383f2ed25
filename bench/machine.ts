import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import type { Machine } from "./results.ts";
import { serverUrl } from "./stores.ts";

/** The machine this runs on. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}, ${process.arch}`,
  };
}

/** How to start a program in a runtime. */
export interface Command {
  /** The runtime. */
  readonly command: string;
  /** What it needs before the script. */
  readonly args: readonly string[];
}

/** The versions of all participants of a measurement. */
export async function describeVersions(deno: Command, bun: Command): Promise<Record<string, string>> {
  const { version } = JSON.parse(readFileSync(new URL("../deno.json", import.meta.url), "utf8"));
  const { deno: denoVersion, sqlite: denoSqlite } = versionsOf(deno);
  const { bun: bunVersion, sqlite: bunSqlite } = versionsOf(bun);
  return {
    sluice: version,
    deno: `${denoVersion} (SQLite ${denoSqlite})`,
    bun: `${bunVersion} (SQLite ${bunSqlite})`,
    postgres: await postgresVersion(),
  };
}

/** `not found` for a missing runtime; the programs that need it report that themselves. */
function versionsOf({ command, args }: Command): Record<string, string> {
  const script = fileURLToPath(new URL("children/versions.ts", import.meta.url));
  try {
    return JSON.parse(execFileSync(command, [...args, script], { encoding: "utf8" }));
  } catch {
    return { deno: "not found", bun: "not found", sqlite: "unknown" };
  }
}

/** The same without a server, so that results that took minutes are not lost. */
async function postgresVersion(): Promise<string> {
  try {
    const sql = postgres(await serverUrl(), { max: 1, onnotice() {} });
    const [row] = await sql`select current_setting('server_version') as version`;
    await sql.end();
    return row!["version"];
  } catch {
    return "not found";
  }
}
