/**
 * Limits: their options, the form that the engine reads, and the evaluation of their functions.
 *
 * @module
 */
import type { Duration } from "../duration.ts";
import { textProblem } from "../text_limits.ts";
import { shown } from "./checks.ts";
import { isThenable } from "./thenable.ts";
import { thrownMessage } from "./thrown_message.ts";

/**
 * A bound on how many bodies, items or runs are active at once, or start in a period, across all runners of a store.
 *
 * Its functions are synchronous. They receive `Args`: what the body receives without `ctx` and `tx`, for the items of a
 * map also `item` and `index`, and for a workflow `{ input }`. A `Limit` without functions fits every task and
 * workflow.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { unchecked, workflow } from "@sluice/sluice";
 *
 * const database: Limit = { name: "database", max: 5 };
 * const load = workflow("load", { input: unchecked<{ tenant: string }>() })
 *   .task("read", { limits: [database, { key: ({ input }) => input.tenant, max: 1 }], run: () => [1, 2, 3] })
 *   .map("store", { after: ["read"], over: ({ read }) => read, limits: [database], run: ({ item }) => item });
 * assertEquals(load.tasks[0]?.limits.map(({ name }) => name), ["database", "load/read"]);
 * ```
 */
export interface Limit<Args = unknown> {
  /**
   * Text of 1 to 200 characters. Limits with the same name share their lanes across tasks and workflows, and must have the
   * same `max` and `per`.
   *
   * @default {undefined} the name of the workflow, or `workflow/task`; with `#2` for the second unnamed one of a list, etc.
   */
  readonly name?: string;
  /**
   * Each key has a lane of its own, to which `max` applies. Text of 1 to 200 characters, or a path of 1 to 4 of them, or a
   * function that returns one. Waiting is fair between the first elements of paths, and then between the later ones.
   *
   * @default {undefined} one lane
   */
  readonly key?: string | readonly string[] | ((args: Args) => string | readonly string[]);
  /**
   * The maximum number active at once or, with `per`, of starts in any period of that length. An integer from 1 to
   * 1,000,000.
   */
  readonly max: number;
  /** Bounds the rate of starts: the length of the period, from 1 ms to 366 days. @default {undefined} no period */
  readonly per?: Duration;
  /** The share of the key where several keys wait for the limit, or a function that returns it. Positive, finite. @default {1} */
  readonly weight?: number | ((args: Args) => number);
}

/** What the functions of a limit receive, given what the body receives. */
export type LimitArgs<Args> = { readonly [K in keyof Args as Exclude<K, "ctx" | "tx">]: Args[K] };

/**
 * What a start does while a limit of the workflow is full: `wait` leaves the run pending, `reject` throws, `replace` cancels
 * the oldest active run of the lane.
 */
export type WhenFull = "wait" | "reject" | "replace";

/** A limit as the engine reads it: with all defaults, and with its period in milliseconds. */
export interface ResolvedLimit {
  /** Limits with the same name share their lanes. At most 403 characters, as a default consists of two names. */
  readonly name: string;
  /** How many are active at once, or start in a period. */
  readonly max: number;
  /** The period; `undefined` for a limit of concurrency. */
  readonly perMs: number | undefined;
  /** The path of the lane, or a function that returns text or a path; `undefined` for one lane. See `keyOf`. */
  // deno-lint-ignore no-explicit-any -- what it receives depends on what states the limit
  readonly key: undefined | readonly string[] | ((args: any) => unknown);
  /** The share of a key, or a function that returns it. See `weightOf`. */
  // deno-lint-ignore no-explicit-any -- what it receives depends on what states the limit
  readonly weight: number | ((args: any) => unknown);
  /** What states the limit, for messages, such as `task "pay" of workflow "order"`. */
  readonly of: string;
}

/** The most limits of a task or workflow. */
export const MOST_LIMITS = 8;

/** The limits of a task or workflow that states none. */
export const NO_LIMITS: readonly ResolvedLimit[] = Object.freeze([]);

const LONGEST_PATH = 4;
const NO_KEY: readonly string[] = Object.freeze([]);

/**
 * Returns the path of the lane of a limit: 1 to 4 texts of 1 to 200 characters, or none for a limit without `key`. `args`
 * is what the functions of the limit receive.
 *
 * @throws {TypeError} If the function throws, or returns neither text nor a path; the message names the limit and what
 *   states it.
 */
export function keyOf(limit: ResolvedLimit, args: unknown): readonly string[] {
  const { key } = limit;
  if (key === undefined) return NO_KEY;
  if (typeof key !== "function") return key;
  return checkedKey(limit, evaluate(limit, "key", () => key(args)));
}

/**
 * Returns the share of the key of a limit: positive and finite. `args` is what the functions of the limit receive.
 *
 * @throws {TypeError} If the function throws, or returns another value; the message names the limit and what states it.
 */
export function weightOf(limit: ResolvedLimit, args: unknown): number {
  const { weight } = limit;
  if (typeof weight !== "function") return weight;
  return checkedWeight(limit, evaluate(limit, "weight", () => weight(args)));
}

/** Returns what is wrong with a key, as a clause that `what` begins; `undefined` if it is text or a path. */
export function keyProblem(value: unknown, what: string): string | undefined {
  if (typeof value === "string") return elementProblem(value, what);
  if (!Array.isArray(value)) return `${what} must be text or an array of texts, not ${described(value)}`;
  if (value.length === 0 || value.length > LONGEST_PATH) {
    return `${what} must have 1 to ${LONGEST_PATH} elements, not ${value.length}`;
  }
  return Array.from<unknown>(value).map((element, at) => elementProblem(element, `${what}[${at}]`))
    .find((problem) => problem !== undefined);
}

/** Returns the path that a valid key is. */
export function pathOf(key: unknown): readonly string[] {
  return Object.freeze(Array.isArray(key) ? key.map(String) : [String(key)]);
}

/** Whether a value is a weight: a positive and finite number. */
export function isWeight(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value < Infinity;
}

/** Returns the clause about a value that is not a weight. */
export function weightProblem(value: unknown, what: string): string {
  return `${what} must be a positive and finite number, not ${described(value)}`;
}

/**
 * Returns a limit without functions: its key and weight for these arguments. Its functions may be marked as asynchronous.
 *
 * @throws {TypeError} As `keyOf` and `weightOf`.
 */
export async function constantLimit(limit: ResolvedLimit, args: unknown): Promise<ResolvedLimit> {
  const { key, weight } = limit;
  return {
    ...limit,
    ...(typeof key === "function" && { key: checkedKey(limit, await evaluateLater(limit, "key", () => key(args))) }),
    ...(typeof weight === "function" && {
      weight: checkedWeight(limit, await evaluateLater(limit, "weight", () => weight(args))),
    }),
  };
}

function checkedKey(limit: ResolvedLimit, value: unknown): readonly string[] {
  const problem = keyProblem(value, "key");
  if (problem !== undefined) throw invalid(limit, problem);
  return pathOf(value);
}

function checkedWeight(limit: ResolvedLimit, value: unknown): number {
  if (isWeight(value)) return value;
  throw invalid(limit, weightProblem(value, "weight"));
}

function elementProblem(value: unknown, what: string): string | undefined {
  if (typeof value !== "string") return `${what} must be text, not ${described(value)}`;
  if (value === "") return `${what} must not be empty`;
  const problem = textProblem(value, "limitKey");
  return problem === undefined ? undefined : `${what} ${problem}: ${shown(value)}`;
}

function evaluate(limit: ResolvedLimit, option: string, call: () => unknown): unknown {
  let value: unknown;
  try {
    value = call();
  } catch (error) {
    throw threw(limit, option, error);
  }
  // Handled, as an unhandled rejection would end the process.
  if (isThenable(value)) Promise.resolve(value).catch(() => {});
  return value;
}

async function evaluateLater(limit: ResolvedLimit, option: string, call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    throw threw(limit, option, error);
  }
}

function threw(limit: ResolvedLimit, option: string, error: unknown): TypeError {
  return new TypeError(`Cannot apply ${nameOf(limit)}: its ${option} threw: ${thrownMessage(error)}`, { cause: error });
}

function invalid(limit: ResolvedLimit, problem: string): TypeError {
  return new TypeError(`Cannot apply ${nameOf(limit)}: its ${problem}`);
}

function nameOf({ name, of }: ResolvedLimit): string {
  return `limit "${name}" of ${of}`;
}

function described(value: unknown): string {
  return isThenable(value) ? "a promise" : shown(value);
}
