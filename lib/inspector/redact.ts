import type { ErrorRecord } from "../errors.ts";
import { redactJson } from "./redact_json.ts";

/** What stands in the place of something hidden. */
export const REDACTED = "[redacted]";

/** Hides what nobody is to see of runs, wherever the inspector would tell it. */
export interface Redactor {
  /** JSON text, which may be cut anywhere, with what is hidden below `path` replaced. */
  json(path: readonly string[], text: string): string;
  /** A plain text; replaced if it is hidden. */
  text<T extends string | undefined>(path: readonly string[], text: T): T | typeof REDACTED;
  /** An error as it is stored. */
  error<T extends ErrorRecord | undefined>(path: readonly string[], error: T): T | ErrorRecord;
  /** Whether there is anything to hide. */
  readonly isNeeded: boolean;
}

/**
 * A redactor by paths through a run, which is taken for `{ input, key, tags, reason, error, tasks: { [id]: { output,
 * error, reason, progress, steps: { [name]: output } } } }`.
 *
 * @throws {TypeError} If one of them is no path.
 */
export function createRedactor(paths: readonly string[]): Redactor {
  const patterns = paths.map(patternOf);
  const isNeeded = patterns.length > 0;
  return {
    isNeeded,
    json: (path, text) => isNeeded ? redactJson(text, patterns, path, JSON.stringify(REDACTED)) : text,
    text: (path, text) => text !== undefined && isHidden(path) ? REDACTED : text,
    error,
  };

  function isHidden(path: readonly string[]): boolean {
    return isNeeded && redactJson("0", patterns, path, "") === "";
  }

  function error<T extends ErrorRecord | undefined>(path: readonly string[], error: T): T | ErrorRecord {
    if (error === undefined || !isNeeded) return error;
    const shown: unknown = JSON.parse(redactJson(JSON.stringify(error), patterns, path, JSON.stringify(REDACTED)));
    return isErrorRecord(shown) ? shown : { name: "Error", message: REDACTED };
  }
}

function patternOf(path: unknown): readonly string[] {
  const segments = typeof path === "string" ? path.split(".") : [];
  if (segments.length > 0 && segments.every((segment) => segment !== "")) return segments;
  throw new TypeError(
    `Cannot redact ${JSON.stringify(path)}: a path such as "input.password", "tasks.*.output" or "**.token" is needed`,
  );
}

/** A cause of which only the message was hidden is still one; one that was hidden as a whole is a text. */
function isErrorRecord(value: unknown): value is ErrorRecord {
  if (typeof value !== "object" || value === null) return false;
  const { name, message, cause } = value as { name?: unknown; message?: unknown; cause?: unknown };
  return typeof name === "string" && typeof message === "string" && (cause === undefined || isErrorRecord(cause));
}
