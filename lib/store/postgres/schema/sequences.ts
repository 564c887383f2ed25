/**
 * Sequences that are behind the rows of their tables. Logical replication and some restores copy rows without their
 * sequences; the next rows would get numbers that are taken, and no run could be started.
 *
 * @module
 */
import { StoreError } from "../../../errors.ts";
import type { Row } from "../../shared/decode.ts";
import { faultOf } from "../connect/faults.ts";
import { lockSchema } from "./migrations.ts";
import type { Session } from "../connect/session.ts";

const NUMBERED = [["runs", "seq"], ["events", "seq"], ["runners", "id"], ["claims", "id"]] as const;

const BEHIND = `
select s.name, s.newest
  from (${
  NUMBERED.map(([table, column]) => `
        select '${table}_${column}_seq' as name, (select max(${column}) from @${table}) as newest,
               (select case when is_called then last_value else last_value - 1 end
                  from "@schema".${table}_${column}_seq) as last`).join("\n         union all")
}) as s
 where s.newest > s.last`;

/**
 * Sets the sequences that are behind, with a warning to the logger.
 *
 * @throws {StoreError} `sequence_behind`, if the login may not do that.
 */
export async function catchUpSequences(session: Session): Promise<void> {
  const { name, schema, logger } = session;
  let found = await findBehind(session);
  if (found.length === 0) return;
  try {
    found = await session.once("care", async ({ run }) => {
      // Another process may do the same: a sequence must not be set back.
      await lockSchema(session, run);
      const rows = await run(BEHIND);
      for (const row of rows) await run(`select ${setval(schema, row)}`);
      return rows;
    });
  } catch (error) {
    if (faultOf(error) !== "not_permitted") throw error;
    throw new StoreError(
      "sequence_behind",
      `Cannot use Postgres database ${name}: sequences are behind their tables, as after logical replication; let an ` +
        `administrator run: select ${found.map((row) => setval(schema, row)).join(", ")}`,
    );
  }
  for (const row of found) {
    logger.warn(
      `Sequence "${row["name"]}" of Postgres database ${name} was behind its table, as after logical replication; it ` +
        `was set to ${row["newest"]}`,
    );
  }
}

async function findBehind(session: Session): Promise<readonly Row[]> {
  try {
    return await session.single("care", BEHIND, []);
  } catch (error) {
    // A role that may insert rows need not have any right on the sequences.
    if (faultOf(error) === "not_permitted") return [];
    throw error;
  }
}

function setval(schema: string, row: Readonly<Record<string, unknown>>): string {
  return `pg_catalog.setval('"${schema}".${row["name"]}', ${row["newest"]})`;
}
