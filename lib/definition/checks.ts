/**
 * Checks of single values, for callers whom no compiler checked. Each notes what is wrong and goes on, so that all of it
 * is reported at once.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { invalidDuration, parseDuration } from "../duration.ts";
import { didYouMean } from "./nearest.ts";

/** Options with a name each, of types still unknown. */
export type Options = Readonly<Record<string, unknown>>;

/** Takes values apart; `what` begins each message. */
export interface Checks {
  /** What was wrong so far. */
  readonly problems: readonly string[];
  /** Notes a problem. */
  report(problem: string): void;
  /** Throws all problems at once, if there are any. */
  refuse(workflow: unknown): void;
  /** The options themselves; none if they are no object. */
  options(value: unknown, what: string, allowed: readonly string[]): Options;
  /** An object with any names; an empty one if it is none. */
  record(value: unknown, what: string): Options;
  /** A name that people read and stores keep: text of 1 to 200 characters, none of them a control character. */
  name(value: unknown, what: string): string;
  /** A function, or nothing. */
  fn<Fn>(value: unknown, what: string): Fn | undefined;
  /** Text, or nothing. */
  text(value: unknown, what: string): string | undefined;
  /** A stated version: text, or nothing. */
  version(value: unknown, what: string): string | undefined;
  /** One of some words, or nothing. */
  word<Word extends string>(value: unknown, what: string, words: Readonly<Record<Word, unknown>>): Word | undefined;
  /** Milliseconds of a duration, or nothing. */
  duration(value: unknown, what: string): number | undefined;
  /** Milliseconds of a time limit, which cannot be zero, or nothing. */
  timeout(value: unknown, what: string): number | undefined;
  /** A list of distinct texts; what is none is left out. */
  list(value: unknown, what: string, of: string): readonly string[];
}

/** Checks that note their problems in one place. */
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
      for (const name of Object.keys(options)) {
        if (!allowed.includes(name)) report(`${what}: unknown option "${name}"${didYouMean(name, allowed)}`);
      }
      return options;
    },
    record,
    name(value, what) {
      const problem = nameProblem(value);
      if (problem !== undefined) report(`${what} ${problem}`);
      return typeof value === "string" ? value : "";
    },
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
    list(value, what, of) {
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
    },
  };

  function record(value: unknown, what: string): Options {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Options;
    report(`${what} must be an object, not ${shown(value)}`);
    return {};
  }

  function report(problem: string): void {
    problems.push(problem);
  }

  function text(value: unknown, what: string): string | undefined {
    if (value === undefined || typeof value === "string") return value;
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
