import { JOURNAL } from "../../lib/store/shared/last_result.ts";
import { createHostOrder } from "../../lib/store/postgres/connect/hosts.ts";
import type { Query } from "../../lib/store/postgres/connect/connection.ts";
import { createLine } from "../../lib/store/postgres/connect/line.ts";
import { parsePostgresUrl } from "../../lib/store/postgres/connect/url.ts";
import { HANG_MS } from "../within.ts";

/** The workflows of the load, one run of each in turn. */
export const LOAD: readonly string[] = ["chain", "diamond", "flaky", "stepwise", "failing"];

/** Reads a database without the store, and therefore sees only committed rows. */
export interface Witness {
  /** Executes a statement, and retries it while the server cannot be reached. */
  readonly ask: Query;
  /** Returns the units of a run that have ended: tasks, and steps as `task/step`. */
  committed(runId: string): Promise<string[]>;
  /** Returns how many runs have not ended. */
  open(): Promise<number>;
  /** Closes its connection. */
  close(): Promise<void>;
}

/** Connects at the first query. Tables of the schema are written as `@runs`. */
export function openWitness(url: string, schema: string): Witness {
  // Without prepared statements, because connections with them are configured for the statements of the store.
  const line = createLine({
    address: parsePostgresUrl(url),
    hosts: createHostOrder(1),
    applicationName: `witness ${schema}`,
    deadlineMs: 10_000,
    prepare: false,
  });
  let isClosed = false;
  return { ask, committed, open, close };

  async function ask(...[sql, values]: Parameters<Query>): ReturnType<Query> {
    const text = sql.replace(/@(\w+)/g, `"${schema}".$1`);
    for (const deadline = performance.now() + HANG_MS;;) {
      if (isClosed) throw new Error("The witness is closed");
      try {
        return await line.query(text, values);
      } catch (error) {
        // Class 42 reports mistakes in the statements of the test.
        const isOurs = error instanceof Error && "code" in error && String(error.code).startsWith("42");
        if (isOurs || performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  // A body that outlives its runner may still send queries: retrying them would keep the process alive.
  function close(): Promise<void> {
    isClosed = true;
    return line.close();
  }

  async function open(): Promise<number> {
    return Number((await ask("select count(*) as n from @runs where ended_at is null", []))[0]!["n"]);
  }

  async function committed(runId: string): Promise<string[]> {
    const rows = await ask(
      `select task || case when step = '' then '' else '/' || step end as unit
         from ${JOURNAL} as journal
        where run = (select seq from @runs where id = $1::uuid) and state in ('completed', 'failed', 'skipped')`,
      [runId],
    );
    return rows.map(({ unit }) => String(unit));
  }
}
