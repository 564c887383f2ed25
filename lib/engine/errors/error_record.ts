/**
 * Errors as they are stored. Whatever is thrown is recorded: class name, message, stack, own fields, causes and inner
 * errors, each within bounds. Nothing that is thrown makes the functions here throw.
 *
 * @module
 */
import type { ErrorRecord, Failure } from "../../errors.ts";
import { isSluiceError, SluiceError } from "../../sluice_error.ts";
import { isBoxed, jsonFields, type ReadingBudget, toJsonValue } from "./error_fields.ts";

const MOST_FAILURES = 10;
const DEEPEST_CAUSE = 5;
const MOST_INNER_ERRORS = 10;
const LONGEST_MESSAGE = 8_192;
const LONGEST_STACK = 16_384;

/** Characters of all messages, stacks and fields of one record; beyond, messages are cut and the rest is left out. */
const LONGEST_RECORD = 131_072;
const SHORT_MESSAGE = 200;

/** Characters that each error of a record takes besides its texts. */
const OVERHEAD = 100;

const UNREADABLE = "a value that cannot be converted to text was thrown";

const HANDLED_APART: ReadonlySet<string> = new Set(["name", "message", "stack", "cause", "code", "errors"]);

/** Converts a thrown value of any type to the record that is stored. Never throws. */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  return describe(thrown, { depth: 1, budget: { left: LONGEST_RECORD }, reading: { left: LONGEST_RECORD } });
}

/** Returns name and message of a thrown value of any type, for a log line. Never throws. */
export function thrownText(thrown: unknown): string {
  const { name, message } = toErrorRecord(thrown);
  return `${name}: ${message}`;
}

/** Converts a stored record to an error to throw. Its name, code, fields and inner errors are kept; its class is not. */
export function fromErrorRecord(record: ErrorRecord): Error {
  const { name, message, code, stack, fields = {}, errors } = record;
  const options = record.cause && { cause: fromErrorRecord(record.cause) };
  const error = record.isSluice === true && code !== undefined
    ? new SluiceError(code, message, options)
    : errors === undefined
    ? new Error(message, options)
    : new AggregateError(errors.map(fromErrorRecord), message, options);
  const own: Readonly<Record<string, unknown>> = { ...fields, name, ...(code !== undefined && { code }) };
  // Defined, as an assignment to "__proto__" would change the prototype.
  for (const [key, value] of Object.entries(own)) {
    Object.defineProperty(error, key, { value, enumerable: key !== "name", writable: true, configurable: true });
  }
  // Not that of this call, which says nothing about it.
  error.stack = stack ?? `${name}: ${message}`;
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

/** Returns a record without its stack and those of its causes and inner errors. */
export function withoutStacks({ stack: _, cause, errors, ...rest }: ErrorRecord): ErrorRecord {
  return {
    ...rest,
    ...(cause !== undefined && { cause: withoutStacks(cause) }),
    ...(errors !== undefined && { errors: errors.map(withoutStacks) }),
  };
}

/**
 * Where in a record something is described, how many characters the record may still take, and how many may be read to
 * find what fits.
 */
interface Place {
  readonly depth: number;
  readonly budget: { left: number };
  readonly reading: ReadingBudget;
}

function describe(thrown: unknown, place: Place): ErrorRecord {
  try {
    place.budget.left -= OVERHEAD;
    if (isError(thrown)) return describeError(thrown, place);
    if (typeof thrown === "object" && thrown !== null) {
      return isBoxed(thrown) ? describe(thrown.valueOf(), place) : describeObject(thrown, place);
    }
    if (typeof thrown === "string") return { name: "Error", message: within(place, thrown, LONGEST_MESSAGE) };
    return { name: "Error", message: `${typeof thrown === "function" ? "a function" : String(thrown)} was thrown` };
  } catch {
    // A proxy threw.
    return { name: "Error", message: UNREADABLE };
  }
}

/** Also one of another realm, such as of a `vm` context or a `Worker`. */
function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || Object.prototype.toString.call(thrown) === "[object Error]";
}

/** Returns a member of what was thrown; `undefined` if reading it throws, so that the others are recorded. */
function memberOf(thrown: object, key: string): unknown {
  try {
    return (thrown as Readonly<Record<string, unknown>>)[key];
  } catch {
    return undefined;
  }
}

function describeError(error: Error, place: Place): ErrorRecord {
  const [code, stack] = ["code", "stack"].map((key) => memberOf(error, key));
  const isCode = typeof code === "string" || typeof code === "number";
  const inner = innerErrors(error);
  const names = new Set(inner?.fields);
  const isOwnField = (key: string): boolean =>
    !(HANDLED_APART.has(key) && !(key === "errors" && inner === undefined) &&
      !(key === "code" && !isCode)) && !names.has(key);
  const fields = jsonFields(error, isOwnField, place.reading);
  return {
    name: nameOf(error),
    message: within(place, messageOf(error), LONGEST_MESSAGE),
    ...(isCode && { code: short(String(code)) }),
    ...(isSluiceError(error) && { isSluice: true }),
    ...(typeof stack === "string" && place.budget.left > 0 && { stack: within(place, stack, LONGEST_STACK) }),
    ...withFields(fields, place),
    ...related(error, inner?.errors ?? [], place),
  };
}

/** The message of an error, as JSON if it is no text. */
function messageOf(error: Error): string {
  try {
    const message: unknown = error.message;
    if (typeof message === "string") return message;
    const json = toJsonValue(message);
    return json === undefined ? "" : JSON.stringify(json);
  } catch {
    return UNREADABLE;
  }
}

/** What is no error: with a message it is recorded like one, otherwise its fields become the message. */
function describeObject(thrown: object, place: Place): ErrorRecord {
  const [name, message] = ["name", "message"].map((key) => memberOf(thrown, key));
  const className = classOf(thrown);
  if (typeof message === "string") {
    return {
      name: typeof name === "string" ? short(name) : className ?? "Error",
      message: within(place, message, LONGEST_MESSAGE),
      ...withFields(jsonFields(thrown, (key) => !HANDLED_APART.has(key), place.reading), place),
      ...related(thrown, [], place),
    };
  }
  const fields = jsonFields(thrown, () => true, place.reading);
  const isEmpty = fields === undefined;
  return {
    name: className ?? "Error",
    message: isEmpty && className !== undefined ? `a ${className} was thrown` : within(
      place,
      JSON.stringify(Array.isArray(thrown) ? Object.values(fields ?? {}) : fields ?? {}),
      LONGEST_MESSAGE,
    ),
    ...withFields(fields, place),
  };
}

function withFields(
  fields: ErrorRecord["fields"] | undefined,
  { budget }: Place,
): Pick<ErrorRecord, "fields"> {
  if (fields === undefined || budget.left <= 0) return {};
  budget.left -= JSON.stringify(fields).length;
  return { fields };
}

function related(
  thrown: object,
  inner: readonly unknown[],
  { depth, budget, reading }: Place,
): Pick<ErrorRecord, "cause" | "errors"> {
  if (depth >= DEEPEST_CAUSE || budget.left <= 0) return {};
  const cause = memberOf(thrown, "cause");
  const deeper: Place = { depth: depth + 1, budget, reading };
  const described = cause === undefined || cause === null ? undefined : describe(cause, deeper);
  const errors: ErrorRecord[] = [];
  for (const one of inner) if (budget.left > 0) errors.push(describe(one, deeper));
  return { ...(described !== undefined && { cause: described }), ...(errors.length > 0 && { errors }) };
}

/** The inner errors of an `AggregateError` or a `SuppressedError`, or of an error like it, and the fields they stand in. */
function innerErrors(
  error: object,
): { readonly errors: readonly unknown[]; readonly fields: readonly string[] } | undefined {
  const [errors, last, suppressed, name] = ["errors", "error", "suppressed", "name"].map((key) => memberOf(error, key));
  const elements = elementsOf(errors);
  if (elements !== undefined && (name === "AggregateError" || elements.some(isInnerError))) {
    return { errors: elements, fields: ["errors"] };
  }
  return name === "SuppressedError" ? { errors: [last, suppressed], fields: ["error", "suppressed"] } : undefined;
}

/** The first elements of an array; `undefined` of anything else, and if reading them throws. */
function elementsOf(value: unknown): readonly unknown[] | undefined {
  try {
    return Array.isArray(value) ? value.slice(0, MOST_INNER_ERRORS) : undefined;
  } catch {
    return undefined;
  }
}

function isInnerError(value: unknown): boolean {
  try {
    return isError(value);
  } catch {
    return false;
  }
}

/** The name of an error; of a class that does not set one, the name of the class. */
function nameOf(error: Error): string {
  const name = memberOf(error, "name");
  const className = classOf(error);
  if (typeof name !== "string" || name === "") return className ?? "Error";
  if (name.length > SHORT_MESSAGE) return short(name);
  return BUILT_IN.has(name) && !Object.hasOwn(error, "name") && className !== undefined ? className : name;
}

const BUILT_IN: ReadonlySet<string> = new Set([
  ...["Error", "TypeError", "RangeError", "SyntaxError", "ReferenceError", "EvalError", "URIError", "AggregateError"],
]);

/** The name of the class of an object; `undefined` for plain objects and classes without a name. */
function classOf(object: object): string | undefined {
  const constructor = memberOf(object, "constructor");
  const name = typeof constructor === "function" ? memberOf(constructor, "name") : undefined;
  return typeof name === "string" && name !== "" && name !== "Object" && name !== "Array" ? short(name) : undefined;
}

function short(text: string): string {
  return text.slice(0, SHORT_MESSAGE);
}

function within({ budget }: Place, text: string, longest: number): string {
  const most = Math.max(SHORT_MESSAGE, Math.min(longest, budget.left));
  budget.left -= Math.min(text.length, most);
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length - most} characters more)`;
}
