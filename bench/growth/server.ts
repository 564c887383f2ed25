/** Figures of a Postgres server that runs on this machine. */
import type postgres from "postgres";
import { readFileSync } from "node:fs";

// What the kernel counts processor time in, on every Linux there is.
const TICKS_PER_SECOND = 100;

/**
 * Processor time that the connections of a schema's stores have taken on the server so far, in milliseconds; `undefined`
 * where it cannot be seen.
 */
export async function serverCpuMs(sql: postgres.Sql, schema: string): Promise<number | undefined> {
  const rows = await sql`
    select pid from pg_stat_activity where application_name like 'sluice %' and application_name like ${`% ${schema}`}`;
  const each = rows.map(({ pid }) => cpuMsOf(Number(pid)));
  return each.reduce((sum, ms) => sum === undefined || ms === undefined ? undefined : sum + ms, 0);
}

/**
 * Memory that the server's processes behind all connections of stores have for themselves, in MB; `undefined` where it
 * cannot be seen.
 */
export async function serverMemoryMb(sql: postgres.Sql): Promise<number | undefined> {
  const rows = await sql`select pid from pg_stat_activity where application_name like 'sluice %'`;
  const each = rows.map(({ pid }) => memoryMbOf(Number(pid)));
  return each.reduce((sum, mb) => sum === undefined || mb === undefined ? undefined : sum + mb, 0);
}

function memoryMbOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kb = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
    return kb === undefined || !status.startsWith("Name:\tpostgres\n") ? undefined : Number(kb) / 1_024;
  } catch {
    return undefined;
  }
}

function cpuMsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    if (!stat.includes("(postgres)")) return undefined;
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND * 1_000;
  } catch {
    return undefined;
  }
}
