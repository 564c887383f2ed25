import process from "node:process";
import { text } from "node:stream/consumers";
import { didYouMean } from "../definition/nearest.ts";
import { isSluiceError } from "../sluice_error.ts";
import { backup } from "./backup.ts";
import { type Command, parseCall, type Terminal } from "./call.ts";
import { check } from "./check.ts";
import { inspect } from "./inspect.ts";
import { limits } from "./limits.ts";
import { migrate } from "./migrate.ts";
import { runners, stats, workflows } from "./overview.ts";
import { resolve } from "./resolve.ts";
import { runs } from "./runs.ts";
import { schedules } from "./schedules.ts";
import { send } from "./send.ts";
import { table, UsageError, usageOf } from "./usage.ts";

const FAILED = 1;
const WRONG_USAGE = 2;

const COMMANDS: readonly Command[] = [
  ...[send, resolve, ...runs, ...schedules],
  ...[workflows, runners, limits, stats, migrate, check, inspect, backup],
];

const TERMINAL: Terminal = {
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  read: () => text(process.stdin),
};

/**
 * Executes the command that the arguments name, and returns the exit code of the process. The module documentation lists
 * the codes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await main(["help", "send"]), 0); // prints the usage of a command
 * ```
 */
export function main(args: readonly string[]): Promise<number> {
  return execute(args, TERMINAL);
}

/** The same on any terminal. */
export async function execute(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first = "help"] = args;
  if (first === "help" || first === "--help" || first === "-h") {
    const asked = args.slice(1).join(" ");
    const about = COMMANDS.find(({ name }) => name === asked);
    terminal.print(about === undefined ? usage() : usageOf(about));
    return 0;
  }
  const command = COMMANDS.find(({ name }) => name === args.slice(0, name.split(" ").length).join(" "));
  if (command === undefined) {
    const name = COMMANDS.some(({ name }) => name.startsWith(`${first} `)) ? args.slice(0, 2).join(" ") : first;
    const hint = didYouMean(name, COMMANDS.map(({ name }) => name));
    terminal.complain(`Unknown command "${name}"${hint}\n\n${usage()}`);
    return WRONG_USAGE;
  }
  try {
    const call = parseCall(command, args.slice(command.name.split(" ").length), terminal);
    if (!call.flags.has("help")) return await command.execute(call);
    terminal.print(usageOf(command));
    return 0;
  } catch (error) {
    return report(error, command, terminal);
  }
}

function usage(): string {
  const commands = COMMANDS.map(({ name, summary }) => [name, summary] as const);
  return `Usage: sluice <command> <store> [arguments] [options]\n\n${table(commands)}\n\n` +
    "sluice help <command> prints the arguments and options of a command.";
}

function report(error: unknown, { name }: Command, terminal: Terminal): number {
  if (error instanceof UsageError) {
    terminal.complain(`Cannot execute "${name}": ${error.message}\n"sluice help ${name}" prints its usage.`);
    return WRONG_USAGE;
  }
  // A wrong URL is a TypeError; any other error is a fault, whose stack is of use.
  const isExpected = error instanceof Error && (isSluiceError(error) || error instanceof TypeError);
  terminal.complain(isExpected ? error.message : error instanceof Error ? error.stack ?? String(error) : String(error));
  return FAILED;
}
