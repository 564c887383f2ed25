/** The gauges of a soak. */
import { readdirSync, statSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { readPlace } from "../../../tests/place.ts";
import type { EmptyStore } from "../../stores.ts";

/** Readings by name; `undefined` if the store lacks one. */
export type Sample = Readonly<Record<string, number | undefined>>;

/** Gauges that can be read repeatedly. */
export interface Gauges extends AsyncDisposable {
  /** All of them now. */
  read(): Promise<Sample>;
  /** What is left in the store: runs, and rows that belong to none. */
  left(): Promise<{ readonly runs: number; readonly orphans: number }>;
}

const ROWS = "select count(*) as n from runs";
const ORPHANS = `
select (select count(*) from tasks where run not in (select seq from runs)) +
       (select count(*) from events where run not in (select seq from runs)) as n`;

const TABLES = `
select relname as name,
       pg_relation_size(relid) as table_bytes,
       pg_indexes_size(relid) as index_bytes,
       n_dead_tup as dead
  from pg_stat_user_tables
 where schemaname = $1`;

const CONNECTIONS = `
select count(*) as n
  from pg_stat_activity
 where application_name like 'sluice %' and application_name like '% ' || $1`;

/** Looks at a store, past it. `pid` is a runner that stays, whose files are counted where that can be seen. */
export function openGauges(store: EmptyStore, pid: number): Gauges {
  const reader = readPlace(store);
  const one = async (sql: string, ...values: string[]): Promise<number> =>
    Number((await reader.query(sql, ...values))[0]!["n"]);
  const { schema } = store.options;
  return {
    async read() {
      const where = schema === undefined
        ? ofFile(fileURLToPath(store.url.replace("sqlite:", "file:")))
        : await ofSchema(schema);
      return { runsInStore: await one(ROWS), openFiles: openFiles(pid), clientRssMb: clientRssMb(), ...where };
    },
    left: async () => ({ runs: await one(ROWS), orphans: await one(ORPHANS) }),
    [Symbol.asyncDispose]: () => reader.close(),
  };

  async function ofSchema(schema: string): Promise<Sample> {
    const rows = await reader.query(TABLES, schema);
    const sample: Record<string, number> = { connections: await one(CONNECTIONS, schema), deadRows: 0 };
    for (const row of rows) {
      sample["deadRows"]! += Number(row["dead"]);
      const name = String(row["name"]);
      if (!["runs", "tasks", "events", "runners"].includes(name)) continue;
      sample[`${name}TableMb`] = Number(row["table_bytes"]) / 2 ** 20;
      sample[`${name}IndexesMb`] = Number(row["index_bytes"]) / 2 ** 20;
    }
    return sample;
  }
}

function ofFile(path: string): Sample {
  return { fileMb: sizeMb(path), walMb: sizeMb(`${path}-wal`) };
}

function sizeMb(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) / 2 ** 20;
}

function clientRssMb(): number {
  return process.memoryUsage().rss / 2 ** 20;
}

/** Connections are among them. */
function openFiles(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return undefined;
  }
}
