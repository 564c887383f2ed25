import { type ErrorRecord, type Failure, SluiceError } from "../errors.ts";

const MOST_FAILURES = 10;
const DEEPEST_CAUSE = 5;
const LONGEST_MESSAGE = 8_192;
const LONGEST_STACK = 16_384;

/** Converts a thrown value of any type to the record that is stored. Never throws. */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  return describe(thrown, 1);
}

/** Converts a stored record to an error to throw. Its name and code are kept; its class is not. */
export function fromErrorRecord(record: ErrorRecord): Error {
  const cause = record.cause && fromErrorRecord(record.cause);
  const error = record.code === undefined
    ? new Error(record.message, cause && { cause })
    : new SluiceError(record.code, record.message, cause && { cause });
  error.name = record.name;
  if (record.stack !== undefined) error.stack = record.stack;
  return error;
}

/**
 * Returns the failed attempts to record of a task after one more has failed: the first and the nine latest. Only the
 * latest keeps its stack, and those of its causes. The row is rewritten with each attempt, so its size must not grow with their number.
 */
export function withFailure(failures: readonly Failure[], failure: Failure): Failure[] {
  const all = [...failures, failure];
  const kept = all.length > MOST_FAILURES ? [all[0]!, ...all.slice(1 - MOST_FAILURES)] : all;
  return kept.map((one, at) => at < kept.length - 1 ? { ...one, error: withoutStacks(one.error) } : one);
}

/** Returns a record without its stack and those of its causes. */
export function withoutStacks({ stack: _, cause, ...rest }: ErrorRecord): ErrorRecord {
  return cause === undefined ? rest : { ...rest, cause: withoutStacks(cause) };
}

function describe(thrown: unknown, depth: number): ErrorRecord {
  try {
    if (thrown instanceof Error) return describeError(thrown, depth);
    if (typeof thrown === "string") return { name: "Error", message: cut(thrown, LONGEST_MESSAGE) };
    if (typeof thrown === "object" && thrown !== null) return describeObject(thrown);
    return { name: "Error", message: `${String(thrown)} was thrown` };
  } catch {
    // A getter or proxy threw.
    return { name: "Error", message: "a value that cannot be converted to text was thrown" };
  }
}

function describeError(error: Error, depth: number): ErrorRecord {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return {
    name: text(error.name, "Error"),
    message: cut(text(error.message, ""), LONGEST_MESSAGE),
    ...(typeof code === "string" || typeof code === "number" ? { code: String(code) } : {}),
    ...(typeof error.stack === "string" ? { stack: cut(error.stack, LONGEST_STACK) } : {}),
    ...(cause !== undefined && depth < DEEPEST_CAUSE ? { cause: describe(cause, depth + 1) } : {}),
  };
}

function describeObject(thrown: object): ErrorRecord {
  const { name, message } = thrown as { name?: unknown; message?: unknown };
  if (typeof message === "string") return { name: text(name, "Error"), message: cut(message, LONGEST_MESSAGE) };
  return { name: "Error", message: cut(JSON.stringify(thrown) ?? String(thrown), LONGEST_MESSAGE) };
}

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

function cut(value: string, longest: number): string {
  return value.length <= longest ? value : `${value.slice(0, longest)}… (${value.length - longest} characters more)`;
}
