/**
 * Checks of single values. A problem is collected and the check goes on, so that all problems are reported at once.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { invalidDuration, parseDuration } from "../duration.ts";
import { MOST_TAGS, TEXT_LIMITS, textProblem } from "../text_limits.ts";
import { didYouMean } from "./nearest.ts";

/** Options by name, of unknown types. */
export type Options = Readonly<Record<string, unknown>>;

/**
 * Checks of values; `what` begins each message. `undefined` is valid where a check can return it, and also the result for
 * an invalid value.
 */
export interface Checks {
  /** Problems found so far. */
  readonly problems: readonly string[];
  /** Adds a problem. */
  report(problem: string): void;
  /** Throws a `DefinitionError` if there are problems. */
  refuse(workflow: unknown): void;
  /** Returns an object of options, empty if it is not an object; options that are not allowed are problems. */
  options(value: unknown, what: string, allowed: readonly string[]): Options;
  /** Reports options that are not allowed. */
  allow(options: Options, what: string, allowed: readonly string[]): void;
  /** Returns an object, empty if it is not an object. */
  record(value: unknown, what: string): Options;
  /** Returns a name: text of 1 to 200 characters without control characters; `""` if it is not text. */
  name(value: unknown, what: string): string;
  /** Returns a function. */
  fn<Fn>(value: unknown, what: string): Fn | undefined;
  /** Returns text. */
  text(value: unknown, what: string): string | undefined;
  /** Returns a stated version, which is text that is not empty. */
  version(value: unknown, what: string): string | undefined;
  /** Returns a key of `words`. */
  word<Word extends string>(value: unknown, what: string, words: Readonly<Record<Word, unknown>>): Word | undefined;
  /** Returns a duration in milliseconds. */
  duration(value: unknown, what: string): number | undefined;
  /** Returns a duration over zero in milliseconds. */
  timeout(value: unknown, what: string): number | undefined;
  /** Returns a list of distinct texts, without other elements. */
  list(value: unknown, what: string, of: string): readonly string[];
  /** Returns the key of a run: text of 1 to 500 characters. */
  key(value: unknown, what: string): string | undefined;
  /** Returns the priority of a run: an integer from -32,768 to 32,767. */
  priority(value: unknown, what: string): number | undefined;
  /** Returns a list of at most 100 distinct tags, which are names. */
  tags(value: unknown, what: string): readonly string[];
}

/** Creates checks without problems. */
export function newChecks(): Checks {
  const problems: string[] = [];
  return {
    problems,
    report,
    refuse(workflow) {
      if (problems.length > 0) throw new DefinitionError(typeof workflow === "string" ? workflow : "", problems);
    },
    options(value, what, allowed) {
      const options = record(value, what);
      allow(options, what, allowed);
      return options;
    },
    allow,
    record,
    name,
    fn<Fn>(value: unknown, what: string) {
      if (value === undefined) return undefined;
      if (typeof value === "function") return value as Fn;
      report(`${what} must be a function, not ${shown(value)}`);
      return undefined;
    },
    text,
    version(value, what) {
      if (value === "") report(`${what} must not be empty`);
      return text(value, what);
    },
    word<Word extends string>(value: unknown, what: string, words: Readonly<Record<Word, unknown>>) {
      if (value === undefined) return undefined;
      if (typeof value === "string" && Object.hasOwn(words, value)) return value as Word;
      const known = Object.keys(words);
      const list = known.map((word) => `"${word}"`).join(", ");
      report(`${what} must be one of ${list}, not ${shown(value)}${didYouMean(value, known)}`);
      return undefined;
    },
    duration,
    timeout(value, what) {
      const ms = duration(value, what);
      if (ms === 0) report(`${what} must be longer than zero`);
      return ms;
    },
    list,
    key(value, what) {
      if (value === undefined) return undefined;
      if (typeof value !== "string" || value === "" || value.length > TEXT_LIMITS.key) {
        report(`${what} must be text of 1 to ${TEXT_LIMITS.key} characters, not ${shown(value)}`);
        return undefined;
      }
      const problem = textProblem(value, "key");
      if (problem !== undefined) report(`${what} ${problem}: ${shown(value)}`);
      return problem === undefined ? value : undefined;
    },
    priority(value, what) {
      if (value === undefined) return undefined;
      if (Number.isInteger(value) && Math.abs(Number(value) + 0.5) < 32_768) return Number(value);
      report(`${what} must be an integer from -32768 to 32767, not ${shown(value)}`);
      return undefined;
    },
    tags(value, what) {
      const tags = list(value, what, "strings");
      if (tags.length > MOST_TAGS) report(`${what} must not have more than ${MOST_TAGS} entries, not ${tags.length}`);
      for (const tag of tags.slice(0, MOST_TAGS)) name(tag, "a tag");
      return tags;
    },
  };

  function allow(options: Options, what: string, allowed: readonly string[]): void {
    for (const name of Object.keys(options)) {
      if (!allowed.includes(name)) report(`${what}: unknown option "${name}"${didYouMean(name, allowed)}`);
    }
  }

  function name(value: unknown, what: string): string {
    const problem = nameProblem(value);
    if (problem !== undefined) report(`${what} ${problem}`);
    return typeof value === "string" ? value : "";
  }

  function list(value: unknown, what: string, of: string): readonly string[] {
    if (value === undefined) return Object.freeze([]);
    if (!Array.isArray(value)) {
      report(`${what} must be an array of ${of}, not ${shown(value)}`);
      return Object.freeze([]);
    }
    // Array.from() fills holes with undefined, which the filter then finds.
    const texts = Array.from(value).filter((entry, i): entry is string => {
      if (typeof entry !== "string") report(`${what}[${i}] must be a string, not ${shown(entry)}`);
      return typeof entry === "string";
    });
    const distinct = new Set<string>();
    const repeated = new Set(texts.filter((text) => distinct.size === distinct.add(text).size));
    for (const text of repeated) report(`${what} names "${text}" more than once`);
    return Object.freeze([...distinct]);
  }

  function record(value: unknown, what: string): Options {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Options;
    report(`${what} must be an object, not ${shown(value)}`);
    return {};
  }

  function report(problem: string): void {
    problems.push(problem);
  }

  function text(value: unknown, what: string): string | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "string") return value;
    report(`${what} must be a string, not ${shown(value)}`);
    return undefined;
  }

  function duration(value: unknown, what: string): number | undefined {
    if (value === undefined) return undefined;
    const ms = parseDuration(value);
    if (ms === undefined) report(invalidDuration(typeof value === "object" ? shown(value) : value, what));
    return ms;
  }
}

/** Formats any value for a message, in a few characters. */
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

function nameProblem(value: unknown): string | undefined {
  if (typeof value !== "string") return `must be a string, not ${shown(value)}`;
  if (value.trim() === "") return "must not be empty";
  // A lone surrogate would not survive a round trip through a database.
  if (/[\p{Cc}\p{Cs}]/u.test(value)) return `must not contain control characters: ${shown(value)}`;
  const problem = textProblem(value, "name");
  if (problem !== undefined) return `${problem}: ${shown(value)}`;
  return undefined;
}
