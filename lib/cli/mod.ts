/**
 * The command line: sends messages to runs, resolves blocked tasks, and lists, shows, follows, exports and controls runs, in
 * any SQLite file or Postgres database; copies SQLite files. `deno run -A jsr:@sluice/sluice/cli help` prints the commands.
 *
 * | exit code | meaning |
 * |---|---|
 * | 0 | the command was executed |
 * | 1 | the command failed; the error is on standard error |
 * | 2 | the arguments are wrong; nothing was done |
 * | 3 | `send`: the message was not accepted |
 * | 4 | `runs follow`: the run failed |
 * | 5 | `runs follow`: the run was cancelled |
 *
 * @module
 */
export { main } from "./command.ts";

if (import.meta.main) {
  const [{ main }, { default: process }] = await Promise.all([import("./command.ts"), import("node:process")]);
  process.exitCode = await main(process.argv.slice(2));
}
