import { JOURNAL as ROWS } from "../lib/store/shared/last_result.ts";

/**
 * The journals of all runs, for use after `from`, as the relation `journal`, on a connection whose search path contains
 * the tables. A query of one run must compare `run` with a constant or a scalar subquery, because Postgres reads whole
 * tables for a join.
 */
export const JOURNAL: string = `${ROWS.replaceAll("@", "")} as journal`;
