/**
 * The query of a request. Every parameter is bounded in count and length, so that the work of a request is, too.
 *
 * @module
 */
import type { RunState } from "../store/port/batch.ts";
import { Refusal } from "./reading.ts";
import type { RunsFilter } from "./shapes.ts";

const LONGEST_QUERY = 8_192;
const MOST_TAGS = 20;
const LONGEST_TEXT = 500;

const STATES: readonly RunState[] = [
  "pending",
  "running",
  "waiting",
  "paused",
  "compensating",
  "completed",
  "failed",
  "cancelled",
];

/**
 * Returns the query of a URL.
 *
 * @throws {Refusal} If it is too long.
 */
export function queryOf(url: string): URLSearchParams {
  const { search, searchParams } = new URL(url);
  if (search.length <= LONGEST_QUERY) return searchParams;
  throw new Refusal(400, `The query is too long: it may have ${LONGEST_QUERY} characters`);
}

/**
 * Returns the filter of a list of runs.
 *
 * @throws {Refusal} If a parameter is invalid.
 */
export function filterOf(query: URLSearchParams): RunsFilter {
  const states = textsOf(query, "state", STATES.length).map((state) => {
    const known = STATES.find((one) => one === state);
    if (known === undefined) throw new Refusal(400, `state must be one of ${STATES.join(", ")}`);
    return known;
  });
  return {
    workflow: textOf(query, "workflow"),
    states,
    tags: textsOf(query, "tag", MOST_TAGS),
    since: timeOf(query, "since"),
    until: timeOf(query, "until"),
    q: textOf(query, "q"),
    error: textOf(query, "error"),
    isParked: flagOf(query, "parked"),
  };
}

/**
 * Returns the text of a parameter; `undefined` if it is absent or empty.
 *
 * @throws {Refusal} If it is given more than once or too long.
 */
export function textOf(query: URLSearchParams, name: string): string | undefined {
  return textsOf(query, name, 1)[0];
}

/**
 * Returns an integer parameter.
 *
 * @throws {Refusal} If it is not a number from `least` to `most`.
 */
export function numberOf(query: URLSearchParams, name: string, least: number, most: number): number | undefined {
  const text = textOf(query, name);
  if (text === undefined) return undefined;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  throw new Refusal(400, `${name} must be a whole number from ${least} to ${most}`);
}

/**
 * Returns whether a parameter is `true`, as a checkbox sends it.
 *
 * @throws {Refusal} If it is something else.
 */
function flagOf(query: URLSearchParams, name: string): boolean {
  const text = textOf(query, name);
  if (text === undefined || text === "true" || text === "false") return text === "true";
  throw new Refusal(400, `${name} must be true or false`);
}

/** The distinct values of a parameter. An empty form field counts as absent. */
function textsOf(query: URLSearchParams, name: string, most: number): readonly string[] {
  const texts = [...new Set(query.getAll(name).map((text) => text.trim()).filter((text) => text !== ""))];
  if (texts.length > most) throw new Refusal(400, `${name} may be given ${most === 1 ? "once" : `${most} times`}`);
  if (texts.every((text) => text.length <= LONGEST_TEXT)) return texts;
  throw new Refusal(400, `${name} is too long: it may have ${LONGEST_TEXT} characters`);
}

/**
 * Returns a time: milliseconds since the epoch, or a date and time as forms send it, which is taken as UTC.
 *
 * @throws {Refusal} If it is not a time.
 */
export function timeOf(query: URLSearchParams, name: string): number | undefined {
  const text = textOf(query, name);
  if (text === undefined) return undefined;
  const isZoned = /(Z|[+-]\d\d:?\d\d)$/i.test(text);
  const time = /^\d{1,16}$/.test(text) ? Number(text) : Date.parse(isZoned || !text.includes("T") ? text : `${text}Z`);
  if (Number.isSafeInteger(time)) return time;
  throw new Refusal(400, `${name} must be milliseconds since the epoch, or a time such as 2026-11-23T09:00`);
}
