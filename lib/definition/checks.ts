/**
 * Checks of single values, for callers whom no compiler checked. Each adds what is wrong to `problems`, so that all of
 * it is reported at once.
 *
 * @module
 */
import { invalidDuration, parseDuration } from "../duration.ts";
import { didYouMean } from "./nearest.ts";

/** Options with a name each, of types still unknown. */
export type Options = Readonly<Record<string, unknown>>;

/** The options themselves; none if they are no object. */
export function checkOptions(
  value: unknown,
  what: string,
  allowed: readonly string[],
  problems: string[],
): Options {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problems.push(`${what} must be an object, not ${shown(value)}`);
    return {};
  }
  for (const name of Object.keys(value)) {
    if (!allowed.includes(name)) problems.push(`${what}: unknown option "${name}"${didYouMean(name, allowed)}`);
  }
  return value as Options;
}

/** A name that people read and stores keep: text of 1 to 200 characters, none of them a control character. */
export function checkName(value: unknown, what: string, problems: string[]): string {
  const problem = nameProblem(value);
  if (problem !== undefined) problems.push(`${what} ${problem}`);
  return typeof value === "string" ? value : "";
}

/** A function, or nothing. */
export function checkFunction<Fn>(value: unknown, what: string, problems: string[]): Fn | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "function") return value as Fn;
  problems.push(`${what} must be a function, not ${shown(value)}`);
  return undefined;
}

/** Text, or nothing. */
export function checkText(value: unknown, what: string, problems: string[]): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  problems.push(`${what} must be a string, not ${shown(value)}`);
  return undefined;
}

/** A stated version: text, or nothing. */
export function checkVersion(value: unknown, what: string, problems: string[]): string | undefined {
  if (value === "") problems.push(`${what} must not be empty`);
  return checkText(value, what, problems);
}

/** One of some words. */
export function checkWord<Word extends string>(
  value: unknown,
  what: string,
  words: Readonly<Record<Word, unknown>>,
  problems: string[],
): Word | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && Object.hasOwn(words, value)) return value as Word;
  const known = Object.keys(words);
  const list = known.map((word) => `"${word}"`).join(", ");
  problems.push(`${what} must be one of ${list}, not ${shown(value)}${didYouMean(value, known)}`);
  return undefined;
}

/** Milliseconds of a duration, or nothing. */
export function checkDuration(value: unknown, what: string, problems: string[]): number | undefined {
  if (value === undefined) return undefined;
  const ms = parseDuration(value);
  if (ms === undefined) problems.push(invalidDuration(typeof value === "object" ? shown(value) : value, what));
  return ms;
}

/** Milliseconds of a time limit, which cannot be zero, or nothing. */
export function checkTimeout(value: unknown, what: string, problems: string[]): number | undefined {
  const ms = checkDuration(value, what, problems);
  if (ms === 0) problems.push(`${what} must be longer than zero`);
  return ms;
}

/** A list of distinct texts; what is none is left out. */
export function checkList(value: unknown, what: string, of: string, problems: string[]): readonly string[] {
  if (value === undefined) return Object.freeze([]);
  if (!Array.isArray(value)) {
    problems.push(`${what} must be an array of ${of}, not ${shown(value)}`);
    return Object.freeze([]);
  }
  // Array.from() fills holes with undefined, which the filter then finds.
  const texts = Array.from(value).filter((entry, i): entry is string => {
    if (typeof entry === "string") return true;
    problems.push(`${what}[${i}] must be a string, not ${shown(entry)}`);
    return false;
  });
  const distinct = new Set(texts);
  for (const text of distinct) {
    if (texts.indexOf(text) !== texts.lastIndexOf(text)) problems.push(`${what} names "${text}" more than once`);
  }
  return Object.freeze([...distinct]);
}

/** A value as a message shows it: short, and whatever it is. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > LONGEST_SHOWN ? `${value.slice(0, LONGEST_SHOWN)}…` : value);
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object";
    case "bigint":
      return `${value}n`;
    case "number":
    case "boolean":
    case "symbol":
    case "undefined":
      return String(value);
  }
}

const LONGEST_SHOWN = 60;
const LONGEST_NAME = 200;

function nameProblem(value: unknown): string | undefined {
  if (typeof value !== "string") return `must be a string, not ${shown(value)}`;
  if (value.trim() === "") return "must not be empty";
  if (value.length > LONGEST_NAME) return `must not be longer than ${LONGEST_NAME} characters: ${shown(value)}`;
  // Half a surrogate pair would come back from a database as something else.
  if (/[\p{Cc}\p{Cs}]/u.test(value)) return `must not contain control characters: ${shown(value)}`;
  return undefined;
}
