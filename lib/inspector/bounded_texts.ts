/** The texts of a page, cut to the remaining budgets. */
import type { Progress } from "../engine/reading/events.ts";
import type { ErrorRecord } from "../errors.ts";
import { type TextBudget, textBudget } from "./left_out.ts";
import { cut } from "./reading.ts";
import type { Payload } from "./run_shape.ts";

const MOST_PAYLOAD_TEXT = 256 * 1024;
const MOST_ERROR_TEXT = 512 * 1024;

/** How much text a page may still contain, and how much it has left out. */
export interface TextBudgets {
  readonly payloads: TextBudget;
  readonly errors: TextBudget;
  readonly leftOut: { payload: number; error: number };
}

/** Creates the budgets of a page. */
export function textBudgets(): TextBudgets {
  return {
    payloads: textBudget(MOST_PAYLOAD_TEXT),
    errors: textBudget(MOST_ERROR_TEXT),
    leftOut: { payload: 0, error: 0 },
  };
}

/** A payload of a run. */
export interface StoredPayload {
  /** Its text or the beginning of it; `undefined` if it was not read. */
  readonly text: string | undefined;
  /** The bytes of the whole; `undefined` for no payload. */
  readonly bytes: number | undefined;
  /** Where the whole is to be had. */
  readonly href: string;
  /** The most characters to show. */
  readonly most: number;
  /** Redacts JSON text that may be cut at any character. */
  readonly redact: (text: string) => string;
}

/** Returns a payload as a page shows it; `undefined` if it is missing. */
export function payloadOf(
  { payloads, leftOut }: TextBudgets,
  { text, bytes, href, most, redact }: StoredPayload,
): Payload | undefined {
  if (bytes === undefined) return undefined;
  const beginning = (text ?? "").slice(0, most);
  const isTruncated = text === undefined || sizeOf(beginning) !== bytes;
  const shown = text === undefined ? "" : redact(beginning);
  if (payloads.take(shown.length)) return { text: shown, bytes, isTruncated, href };
  leftOut.payload++;
  return { text: "", bytes, isTruncated: true, href };
}

/** An error, or in short form if errors take too much of the page. */
export function withinBudget(error: ErrorRecord, { errors, leftOut }: TextBudgets): ErrorRecord {
  if (errors.take(JSON.stringify(error).length)) return error;
  leftOut.error++;
  return { name: cut(error.name, 100), message: cut(error.message, 200) };
}

/** Parses the progress that a body reported. */
export function progressOf(text: string): Progress | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) return undefined;
  const { done, total, message } = value as Readonly<Record<string, unknown>>;
  // A redacted number is a text.
  if (typeof done !== "number") return undefined;
  return {
    done,
    ...(typeof total === "number" && { total }),
    ...(typeof message === "string" && { message }),
  };
}

/** The length of a text in UTF-8, in bytes. */
export function sizeOf<T extends string | undefined>(text: T): T extends string ? number : number | undefined;
export function sizeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : new TextEncoder().encode(text).length;
}
