import type { PermitHolder } from "../../limits.ts";
import { type Dialect, seqs, texts } from "../dialect.ts";
import type { Sql } from "../statement.ts";

/** Units as a relation `h`. */
export function holderRows(db: Dialect, holders: readonly PermitHolder[]): Sql {
  return db.rows("h", {
    of_run: seqs(holders.map(({ run }) => run)),
    of_task: texts(holders.map(({ task }) => task)),
    of_item: { type: "integer", items: holders.map(({ item }) => item) },
  });
}
