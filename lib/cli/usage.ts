/** The arguments of a command are wrong. */
export class UsageError extends Error {
  /** Name of the class. */
  override name = "UsageError";
}

/** An option of a command. */
export interface CommandOption {
  /** Whether the option has a value. */
  readonly type: "string" | "boolean";
  /** What the usage text calls the value. @default {undefined} the option has none */
  readonly value?: string;
  /** Whether the option may be stated several times. @default {false} */
  readonly isList?: boolean;
  /** What the usage text says about the option. */
  readonly text: string;
}

/** Options by name. */
export type CommandOptions = Readonly<Record<string, CommandOption>>;

/** What the usage text of a command consists of. */
export interface CommandUsage {
  /** The words that call it. */
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** The names of its arguments; optional ones are in brackets. */
  readonly args: readonly string[];
  /** Its options. */
  readonly options: CommandOptions;
  /** Further explanation. @default {undefined} none */
  readonly notes?: string;
}

/** Options of every command. */
export const COMMON_OPTIONS: CommandOptions = {
  schema: { type: "string", value: "name", text: "the tenant, on Postgres (default: sluice)" },
  json: { type: "boolean", text: "print JSON, for programs" },
  help: { type: "boolean", text: "print this text" },
};

/** Meanings of arguments. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  store: "sqlite://./app.db, or postgres://user:password@host/database",
  file: "the name of the copy",
  run: "the id of the run",
  task: "the id of the task",
  schedule: "the name of the schedule",
  payload: "the payload as JSON text; - reads it from standard input",
};

/** Returns the usage text of a command. */
export function usageOf({ name, summary, args, options, notes }: CommandUsage): string {
  const described = args.map((arg) => arg.replaceAll(/[[\]]/g, ""))
    .map((arg) => [`<${arg}>`, ARGUMENTS[arg] ?? ""] as const);
  const all = Object.entries({ ...options, ...COMMON_OPTIONS })
    .map(([option, { value, text }]) => [`--${option}${value === undefined ? "" : `=<${value}>`}`, text] as const);
  return [
    `Usage: sluice ${name} ${args.map(shownArgument).join(" ")} [options]`,
    `${summary}.`,
    table(described),
    table(all),
    ...notes === undefined ? [] : [notes],
  ].join("\n\n");
}

/** Returns lines of two columns. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([first]) => first.length));
  return rows.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`.trimEnd()).join("\n");
}

function shownArgument(arg: string): string {
  return arg.startsWith("[") ? `[<${arg.slice(1, -1)}>]` : `<${arg}>`;
}
