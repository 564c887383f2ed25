import { JOURNAL as ROWS } from "../lib/store/shared/last_result.ts";

/**
 * The journals of all runs, after `from`, as relation `journal` of a connection that finds tables by their names alone. A
 * query of one run compares `run` with a constant or a scalar subquery: Postgres reads whole tables for a join.
 */
export const JOURNAL: string = `${ROWS.replaceAll("@", "")} as journal`;
