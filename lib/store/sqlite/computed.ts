import { RUN_COLUMNS } from "../shared/run_columns.ts";

const COMPUTED = [...RUN_COLUMNS].filter(([, { computed }]) => computed !== undefined).map(([name]) => name);

const REFERENCE = new RegExp(`\\b(\\w+\\.)?(${COMPUTED.join("|")})\\b( is not null)?`, "g");

const COLUMN = new RegExp(`\\b(?:${[...RUN_COLUMNS.keys()].join("|")})\\b`, "g");

/**
 * Replaces the computed columns of `runs` in a statement by their expressions, and a condition that one of them is not
 * null by its `present`. On SQLite these columns exist only in the text of statements: SQLite evaluates the expression of
 * a virtual column with each insert and update of a row, and again for each index that names it. A run that starts and
 * completes executes 115 + 120 instead of 131 + 154 instructions of SQLite (`sqlite3_stmt_status`), which is 0.7 of
 * 4.4 µs.
 */
export function writeOutComputed(sql: string): string {
  return sql.replace(REFERENCE, (_, alias: string | undefined, name: string, isNotNull: string | undefined) => {
    const { computed, present } = RUN_COLUMNS.get(name)!;
    const text = isNotNull !== undefined && present !== undefined ? `(${present})` : `(${computed})${isNotNull ?? ""}`;
    return alias === undefined ? text : text.replace(COLUMN, (column) => alias + column);
  });
}
