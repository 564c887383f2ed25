import { parseArgs } from "node:util";
import { systemClock } from "../clock.ts";
import type { Schedule } from "../definition/schedule.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { type Client, createClient } from "../engine/client/client.ts";
import type { Logger } from "../logger.ts";
import { openStore } from "../store/open.ts";
import { type CommandUsage, COMMON_OPTIONS, UsageError } from "./usage.ts";

/** Where a command reads and writes. */
export interface Terminal {
  /** Writes a line to standard output. */
  readonly print: (line: string) => void;
  /** Writes a line to standard error. */
  readonly complain: (line: string) => void;
  /** Reads all of standard input. */
  readonly read: () => Promise<string>;
}

/** A call of a command whose arguments have been parsed. */
export interface Call {
  /** Arguments by name; those that are optional and absent are `undefined`. */
  readonly args: Readonly<Record<string, string | undefined>>;
  /** Values of options with a value, by name. */
  readonly values: Readonly<Record<string, string | undefined>>;
  /** Values of options that may be stated several times, by name. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** Names of the options without a value that are stated. */
  readonly flags: ReadonlySet<string>;
  readonly terminal: Terminal;
}

/** A command. */
export interface Command extends CommandUsage {
  /** Executes the command; returns the exit code. */
  readonly execute: (call: Call) => Promise<number>;
}

/**
 * Parses the arguments of a command.
 *
 * @throws {UsageError} If an argument is missing, an option is unknown, or there are too many arguments.
 */
export function parseCall({ args: names, options }: CommandUsage, args: readonly string[], terminal: Terminal): Call {
  const { values, positionals } = parse({ ...options, ...COMMON_OPTIONS }, args);
  const flags = new Set(Object.keys(values).filter((name) => values[name] === true));
  const isRequired = (name: string): boolean => !name.startsWith("[");
  const missing = names.slice(positionals.length).find(isRequired);
  if (missing !== undefined && !flags.has("help")) throw new UsageError(`<${missing}> is missing`);
  if (positionals.length > names.length) {
    throw new UsageError(
      `"${positionals[names.length]}" is one argument too many; quote arguments that contain spaces`,
    );
  }
  return {
    args: Object.fromEntries(names.map((name, at) => [name.replaceAll(/[[\]]/g, ""), positionals[at]])),
    values: Object.fromEntries(
      Object.entries(values).flatMap(([name, value]) => typeof value === "string" ? [[name, value]] : []),
    ),
    lists: Object.fromEntries(
      Object.entries(values).flatMap(([name, value]) => Array.isArray(value) ? [[name, value.map(String)]] : []),
    ),
    flags,
    terminal,
  };
}

function parse(
  options: CommandUsage["options"],
  args: readonly string[],
): { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] } {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { type, isList = false }]) => [name, { type, multiple: isList }]),
  );
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: config });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Opens the store of a call, which must exist, and passes a client on it to `use`.
 *
 * @throws {StoreError} If there is no store.
 */
export async function withClient<T>(
  { args, values, terminal }: Call,
  workflows: readonly AnyWorkflow[],
  use: (client: Client<AnyWorkflow>) => Promise<T>,
  schedules: readonly Schedule[] = [],
): Promise<T> {
  const { store = "" } = args;
  const { schema } = values;
  const logger = terminalLogger(terminal);
  // A store that is opened for writing is created if it does not exist, and a command must not do that.
  const options = { schema, durability: "power", clock: systemClock, logger } as const;
  const { close } = await openStore(store, { ...options, readOnly: true });
  await close();
  const client = await createClient(store, {
    workflows,
    schedules,
    logger,
    ...(schema === undefined ? {} : { schema }),
  });
  try {
    return await use(client);
  } finally {
    await client.stop();
  }
}

/** A logger that writes warnings and errors to standard error. */
export function terminalLogger(terminal: Terminal): Logger {
  return {
    debug() {},
    info() {},
    warn: terminal.complain,
    error: (message, fields) => terminal.complain(`${message} ${JSON.stringify(fields ?? {})}`),
  };
}

/**
 * Parses JSON text of an argument.
 *
 * @throws {UsageError} If it is not JSON.
 */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${what} is not JSON: ${reason}; a string is written '"text"'`);
  }
}
