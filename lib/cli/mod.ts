/**
 * The command line: lists, shows, follows, exports and changes runs, one or many; sends messages, resolves blocked tasks,
 * controls schedules, shows workflows, runners and limits, serves the inspector, migrates, checks and copies databases: any
 * SQLite file or Postgres database. `deno run -A jsr:@sluice/sluice/cli help` prints the commands.
 *
 * | exit code | meaning |
 * |---|---|
 * | 0 | the command was executed |
 * | 1 | the command failed; the error is on standard error |
 * | 2 | the arguments are wrong, or `--yes` is missing; nothing was done |
 * | 3 | `send`: the message was not accepted |
 * | 4 | `runs follow`: the run failed |
 * | 5 | `runs follow`: the run was cancelled |
 * | 6 | `check`: there are problems |
 *
 * @module
 */
export { main } from "./command.ts";

if (import.meta.main) {
  const [{ main }, { default: process }] = await Promise.all([import("./command.ts"), import("node:process")]);
  process.exitCode = await main(process.argv.slice(2));
}
