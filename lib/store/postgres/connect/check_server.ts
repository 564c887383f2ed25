import type { SettingsCheck } from "../../sql/dialect.ts";
import { sql } from "../../sql/statement.ts";

/** Settings with a value by which committed results can be lost, or tables grow, and what that means. */
const WRONG: Readonly<Record<string, readonly [value: string, problem: string]>> = {
  fsync: ["off", "a crash of the machine can damage the database"],
  full_page_writes: ["off", "a crash of the machine can damage the database"],
  synchronous_commit: ["off", "a crash of the server can lose results that were reported as durable"],
  autovacuum: ["off", "tables grow, and queries become slow"],
  track_counts: ["off", "autovacuum does not work"],
};

/** Checks of the settings of a server. */
export const SERVER_CHECKS: readonly SettingsCheck[] = [{
  query: sql`
select name, setting from pg_catalog.pg_settings where name = any(${Object.keys(WRONG)}::text[]) order by name`,
  problems: (rows) =>
    rows.flatMap((row) => {
      const [name, setting] = [String(row["name"]), String(row["setting"])];
      const [wrong, problem] = WRONG[name] ?? [];
      return setting === wrong ? [`The setting ${name} of the server is ${setting}: ${problem}.`] : [];
    }),
}];
