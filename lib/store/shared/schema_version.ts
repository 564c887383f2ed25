import { StoreError } from "../../errors.ts";

/** The tables that both stores have. */
export const SHARED_TABLES: readonly string[] = [
  ...["runs", "tasks", "messages", "workflows", "events", "runners", "schedules"],
  ...["limits", "lanes", "queues", "lane_queues", "permits", "starts", "meta"],
];

/** The version of a schema and what an error says about it. */
export interface FoundSchema {
  /** The version as it is stored. */
  readonly stored: unknown;
  /** The newest version that this code knows. */
  readonly newest: number;
  /** The tables with names that Sluice uses. */
  readonly tables: readonly string[];
  /** The database, such as `SQLite database app.db`. */
  readonly database: string;
  /** What an application gives Sluice to keep its tables apart, such as `a file`. */
  readonly place: string;
}

/**
 * Returns the version of a schema.
 * @throws {StoreError} `foreign_tables`, if the tables are not ours; `newer_schema`, if a newer version of Sluice has
 * migrated them.
 */
export function checkSchemaVersion({ stored, newest, tables, database, place }: FoundSchema): number {
  const version = stored === undefined ? NaN : Number(stored);
  if (!Number.isInteger(version)) {
    const quoted = tables.map((table) => `"${table}"`).join(", ");
    throw new StoreError(
      "foreign_tables",
      `Cannot use ${database}: it has tables of another application with the names that Sluice needs (${quoted}); ` +
        `give Sluice ${place} of its own`,
    );
  }
  if (version > newest) {
    throw new StoreError(
      "newer_schema",
      `Cannot use ${database}: its schema has version ${version}, and this version of Sluice knows only up to ` +
        `${newest}; use a newer Sluice`,
    );
  }
  return version;
}
