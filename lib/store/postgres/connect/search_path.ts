/**
 * The search path in which the server finds the functions, operators and types of the engine's statements. The default
 * includes the schema `public`, in which another role may have created a function that matches the arguments better
 * than the function of Postgres; it would run with the rights of the engine's login. So every statement of the engine
 * is executed with a search path of the system's schema alone:
 *
 * - The engine's own connections start with it, and each of them reads it back before its first statement. If the
 *   setting was dropped, as poolers do, or must not be sent, each statement gets a transaction that sets it.
 * - In the transactions of users, whose statements have the search path of their role and database, each statement of
 *   the engine is sent between two that set and restore the path. These two qualify every function with its schema, and
 *   have neither operators nor conversions, so that they mean the same under any path.
 *
 * @module
 */

/** The search path of the engine. Named last, the temporary tables and types of the session hide nothing. */
export const SAFE_PATH = "pg_catalog, pg_temp";

/** Sets the path until the transaction ends. */
export const SET_PATH: string = `set local search_path = ${SAFE_PATH}`;

/** Gives the rest of a transaction the path of the role and database, or the path that its URL sets. */
export const USERS_PATH = "set local search_path to default";

/** Reads the path back. */
export const READ_PATH = "select pg_catalog.current_setting('search_path') as path";

/** Sets the path in a transaction of a user and saves the user's path. Targets are evaluated from left to right. */
export const ENTER: string = `
select pg_catalog.set_config('sluice.path', pg_catalog.current_setting('search_path'), true) as kept,
       pg_catalog.set_config('search_path', '${SAFE_PATH}', true) as path`;

/** Restores the user's path, also for triggers that run at the commit. */
export const LEAVE = `
select pg_catalog.set_config('search_path', pg_catalog.current_setting('sluice.path', true), true) as path`;
