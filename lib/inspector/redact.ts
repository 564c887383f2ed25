import type { JsonValue } from "../json_value.ts";
import type { ErrorRecord } from "../errors.ts";
import { redactJson, remainders } from "./redact_json.ts";
import { parsePath, type Pattern, whyHidesNothing } from "./redact_path.ts";

/** Replaces hidden values. */
export const REDACTED = "[redacted]";

/** Hides fields of runs wherever the inspector shows them, and wherever they could be inferred. */
export interface Redactor {
  /** Returns JSON text, which may be cut anywhere, with everything hidden below `path` replaced. */
  json(path: readonly string[], text: string): string;
  /** Returns a plain text, replaced if it is hidden. */
  text<T extends string | undefined>(path: readonly string[], text: T): T | typeof REDACTED;
  /** Returns the error of a task or of a run as it may be shown. */
  error<T extends ErrorRecord | undefined>(path: readonly string[], error: T): T | ErrorRecord;
  /** Returns the first line of an error, `name: message`, without what is hidden of fields that the message consists of. */
  errorLine(line: string): string;
  /** Whether a text is hidden. */
  isHidden(path: readonly string[]): boolean;
  /** Whether some tag of a run can be hidden. */
  readonly hidesTags: boolean;
  /** Whether some part of an error that a search looks at can be hidden. */
  readonly hidesErrors: boolean;
  /** Why paths hide nothing, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Creates a redactor from paths through a run, which has the form `{ input, key, tags, reason, error, tasks: { [id]: {
 * output, error, reason, progress, steps: { [name]: output } } }, limits: { [name]: { key } } }`. The error of a run is that of one of its tasks: what
 * a path hides in the errors of tasks is hidden there, too.
 *
 * @throws {TypeError} If a path is malformed.
 */
export function createRedactor(paths: readonly string[]): Redactor {
  const given = paths.map(parsePath);
  const ofErrors = remainders(given, ["tasks", undefined, "error"]);
  const patterns: readonly Pattern[] = [...given, ...ofErrors.map((rest): Pattern => [{ name: "error" }, ...rest])];
  const isNeeded = patterns.length > 0;
  const names = new Set(["0", ...given.flat().flatMap((segment) => typeof segment === "string" ? [] : segment.name)]);
  return {
    json: (path, text) => isNeeded ? redactJson(text, patterns, path, JSON.stringify(REDACTED)) : text,
    text: (path, text) => text !== undefined && isHidden(path) ? REDACTED : text,
    error,
    isHidden,
    errorLine(line) {
      const [start = ""] = /^.*?: (?=[[{])/.exec(line) ?? [];
      return isNeeded && start !== ""
        ? start + redactJson(line.slice(start.length), patterns, ["error", "fields"], JSON.stringify(REDACTED))
        : line;
    },
    hidesErrors: JSON.stringify(error(["error"], PROBE)) !== JSON.stringify(PROBE) || hidesFields(patterns),
    hidesTags: [...names].some((name) => isHidden(["tags", name])),
    warnings: given.flatMap((pattern, at) => {
      const why = whyHidesNothing(pattern);
      return why === undefined ? [] : [`The redact path ${JSON.stringify(paths[at])} hides nothing: ${why}`];
    }),
  };

  function isHidden(path: readonly string[]): boolean {
    return isNeeded && redactJson("0", patterns, path, "") === "";
  }

  function error<T extends ErrorRecord | undefined>(path: readonly string[], error: T): T | ErrorRecord {
    if (error === undefined || !isNeeded) return error;
    const shown: unknown = JSON.parse(redactJson(JSON.stringify(error), patterns, path, JSON.stringify(REDACTED)));
    const hidden = new Set<string>();
    const record = recordOf(shown, error, hidden);
    return hidden.size === 0 ? record : withoutTexts(record, [...hidden].sort((a, b) => b.length - a.length));
  }
}

/**
 * Whether a path names fields of an error. A thrown value that is not an error has a message that consists of its fields.
 * A path that begins with `**` is meant for payloads, and would make errors unsearchable for most users.
 */
function hidesFields(patterns: readonly Pattern[]): boolean {
  return remainders(patterns.filter((pattern) => !pattern.includes("**")), ["error", "fields"]).length > 0;
}

/** An error with the texts of it and its causes that are searched for, as its message may quote them. */
const PROBE: ErrorRecord = [1, 2, 3, 4, 5, 6].reduce<ErrorRecord>(
  (cause, depth) => ({ ...probeAt(depth), cause, errors: [probeAt(depth)] }),
  probeAt(0),
);

function probeAt(depth: number): ErrorRecord {
  return { name: `name ${depth}`, message: `message ${depth}`, code: `code ${depth}` };
}

// Shorter texts, such as a digit, occur by coincidence.
const SHORTEST_QUOTE = 4;

/** Returns a redacted error and adds the hidden texts to `hidden`. A stack contains name, message and code. */
function recordOf(shown: unknown, error: ErrorRecord, hidden: Set<string>): ErrorRecord {
  if (typeof shown !== "object" || shown === null) {
    for (const text of textsOf(error)) hidden.add(text);
    addHidden(error.fields, REDACTED, hidden);
    return { name: "Error", message: REDACTED };
  }
  const fields: Readonly<Record<string, unknown>> = { ...shown };
  const isShown = (name: "name" | "message" | "code" | "stack"): boolean => fields[name] === error[name];
  if (!isShown("message")) hidden.add(error.message);
  if (error.code !== undefined && !isShown("code")) hidden.add(error.code);
  addHidden(error.fields, fields["fields"], hidden);
  const { code, stack, cause, errors } = error;
  const hasStack = isShown("name") && isShown("message") && isShown("code") && isShown("stack");
  const inner: readonly unknown[] = Array.isArray(fields["errors"]) ? fields["errors"] : [];
  return {
    name: isShown("name") ? error.name : REDACTED,
    message: isShown("message") ? error.message : REDACTED,
    ...(code !== undefined && { code: isShown("code") ? code : REDACTED }),
    ...(stack !== undefined && { stack: hasStack ? stack : REDACTED }),
    ...(error.fields !== undefined && { fields: fieldsOf(fields["fields"]) }),
    ...(cause !== undefined && { cause: recordOf(fields["cause"], cause, hidden) }),
    ...(errors !== undefined && { errors: errors.map((one, at) => recordOf(inner[at], one, hidden)) }),
  };
}

// The value comes from JSON, of which `redact` of the user may have replaced parts; it is sent as JSON again.
function fieldsOf(shown: unknown): Readonly<Record<string, JsonValue>> {
  return typeof shown === "object" && shown !== null ? { ...shown } as Readonly<Record<string, JsonValue>> : {};
}

function textsOf({ message, code, cause, errors = [] }: ErrorRecord): readonly string[] {
  const inner = [...(cause === undefined ? [] : [cause]), ...errors];
  return [message, ...(code === undefined ? [] : [code]), ...inner.flatMap(textsOf)];
}

/** An error that quotes another one, as in `new Error("cannot pay: " + cause.message, { cause })`, shows none of it. */
function withoutTexts(record: ErrorRecord, hidden: readonly string[]): ErrorRecord {
  const clean = (text: string): string =>
    hidden.reduce((text, quote) => quote.length < SHORTEST_QUOTE ? text : text.replaceAll(quote, REDACTED), text);
  const { stack, fields, cause, errors } = record;
  return {
    ...record,
    message: clean(record.message),
    ...(stack !== undefined && { stack: clean(stack) }),
    ...(fields !== undefined && { fields: fieldsOf(cleanJson(fields, clean)) }),
    ...(cause !== undefined && { cause: withoutTexts(cause, hidden) }),
    ...(errors !== undefined && { errors: errors.map((one) => withoutTexts(one, hidden)) }),
  };
}

/** Removes hidden texts from JSON, including from names and numbers. */
function cleanJson(value: JsonValue | undefined, clean: (text: string) => string): JsonValue {
  if (typeof value === "string") return clean(value);
  if (typeof value === "number") return clean(String(value)) === String(value) ? value : REDACTED;
  if (typeof value !== "object" || value === null) return value ?? null;
  if (Array.isArray(value)) return value.map((one) => cleanJson(one, clean));
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [clean(name), cleanJson(member, clean)]));
}

/** Adds the texts of JSON that were hidden in `shown`. The message of what is no error consists of its fields. */
function addHidden(value: unknown, shown: unknown, hidden: Set<string>): void {
  const isHidden = shown === REDACTED;
  if (typeof value === "string" || typeof value === "number") {
    if (isHidden) hidden.add(String(value)).add(JSON.stringify(String(value)).slice(1, -1));
  } else if (typeof value === "object" && value !== null) {
    const rest: Readonly<Record<string, unknown>> = typeof shown === "object" && shown !== null ? { ...shown } : {};
    for (const [name, member] of Object.entries(value)) {
      addHidden(member, isHidden ? REDACTED : rest[name], hidden);
    }
  }
}
