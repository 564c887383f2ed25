import type { PermitHolder } from "../../port/limits.ts";
import { type Dialect, seqs, texts } from "../dialect.ts";
import { raw, type Sql, sql } from "../statement.ts";

/** Units as a relation `h`. */
export function holderRows(db: Dialect, holders: readonly PermitHolder[]): Sql {
  return db.rows("h", {
    of_run: seqs(holders.map(({ run }) => run)),
    of_task: texts(holders.map(({ task }) => task)),
    of_item: { type: "integer", items: holders.map(({ item }) => item) },
  });
}

/** A condition: a permit, or a start, is one of these units; `undefined` for none. */
export function ofUnits(
  db: Dialect,
  table: "@permits" | "@starts",
  holders: readonly PermitHolder[],
): Sql | undefined {
  if (holders.length === 0) return undefined;
  return db.isIn(
    "seq",
    sql`select u.seq
          from ${holderRows(db, holders)}
         cross join ${raw(table)} as u
         where u.run = h.of_run and u.task = h.of_task and u.item = h.of_item`,
  );
}
