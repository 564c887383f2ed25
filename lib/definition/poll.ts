import type { Duration } from "../duration.ts";
import { DefinitionError } from "../errors.ts";
import { newChecks } from "./checks.ts";
import { encodeJson } from "./json.ts";
import type { Known } from "./options_check.ts";
import { checkInterval, checkWorkflow } from "./schedule.ts";
import type { AnyWorkflow, InputOf } from "./workflow.ts";

/** What a check receives. */
export interface PollCheck<Cursor> {
  /** The cursor that the latest check which had one returned, or else the first. */
  readonly cursor: Cursor;
  /** Aborts when the time-out has passed, or the runner stops. */
  readonly signal: AbortSignal;
}

/** A run that a check starts, or only the cursor for the next check. */
export type PollStart<Input, Cursor> =
  | {
    /** The input of the run. An element without this member starts none. */
    readonly input: Input;
    /** A second run of the workflow with the same key is not started, until the first is deleted. */
    readonly key?: string;
    /** The cursor for the next check; of several elements the last counts. */
    readonly cursor?: Cursor;
  }
  | { readonly cursor: Cursor; readonly input?: never; readonly key?: never };

/** What a check returns. */
export type PollResult<Input, Cursor> =
  | PollStart<Input, Cursor>
  | readonly PollStart<Input, Cursor>[]
  | undefined
  | void;

/** Names of the options of a poll. */
export type PollOption = "name" | "workflow" | "every" | "check" | "cursor" | "timeout";

/** Options of a poll. */
export interface PollOptions<W extends AnyWorkflow, Cursor> {
  /** The name of the poll, unique in the store among schedules and polls. */
  readonly name: string;
  /** The workflow of its runs. */
  readonly workflow: W;
  /** From the beginning of a check to the next; at least 100 ms. */
  readonly every: Duration;
  /**
   * Returns the runs to start: one, an array of up to 1,000, or `undefined`. They are inserted, and the cursor is advanced,
   * in one commit; if it throws, or an input is invalid, neither happens. One runner checks at a time; if it dies, its
   * check is repeated.
   */
  readonly check: (
    at: PollCheck<NoInfer<Cursor>>,
  ) => PollResult<InputOf<W>, NoInfer<Cursor>> | Promise<PollResult<InputOf<W>, NoInfer<Cursor>>>;
  /** The first cursor, which determines its type. It is stored as JSON. @default {undefined} */
  readonly cursor?: Cursor;
  /** The longest that a check may take. @default {"30s"} */
  readonly timeout?: Duration;
}

/** A rule that starts runs for what a function finds, for the option `schedules` of `createRunner`. Immutable. */
export class Poll {
  /** Distinguishes polls from schedules. */
  readonly kind = "poll";
  /** The name of the poll. */
  readonly name: string;
  /** The workflow of its runs. */
  readonly workflow: AnyWorkflow;
  /** The interval in milliseconds. */
  readonly everyMs: number;
  /** Returns the runs to start. */
  readonly check: (at: PollCheck<unknown>) => unknown;
  /** The first cursor. */
  readonly cursor: unknown;
  /** The maximum duration of a check, in milliseconds. */
  readonly timeoutMs: number;

  /** @internal For `poll()`, which validates the parts. */
  constructor(parts: Omit<Poll, "kind">) {
    this.name = parts.name;
    this.workflow = parts.workflow;
    this.everyMs = parts.everyMs;
    this.check = parts.check;
    this.cursor = parts.cursor;
    this.timeoutMs = parts.timeoutMs;
    Object.freeze(this);
  }
}

const OPTIONS: readonly PollOption[] = ["name", "workflow", "every", "check", "cursor", "timeout"];
const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Defines a poll, which calls a function at an interval and starts the runs that the function returns.
 *
 * @throws {DefinitionError} If an option is invalid; `problems` lists every problem.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, poll, unchecked, workflow } from "@sluice/sluice";
 *
 * const mails = [{ id: 1, text: "hi" }, { id: 2, text: "ho" }];
 * const answer = workflow("answer", { input: unchecked<string>() }).task("send", { run: ({ input }) => input.length });
 *
 * const inbox = poll({
 *   name: "inbox",
 *   workflow: answer,
 *   every: "100ms",
 *   cursor: 0,
 *   check: ({ cursor }) => mails.filter(({ id }) => id > cursor).map(({ id, text }) => ({ input: text, cursor: id })),
 * });
 *
 * await using runner = await createRunner("sqlite::memory:", { workflows: [answer], schedules: [inbox] });
 * while ((await runner.stats()).runs.completed < 2) await new Promise((resolve) => setTimeout(resolve, 10));
 * assertEquals((await runner.schedules.get("inbox")).counts.started, 2);
 * ```
 */
export function poll<
  const W extends AnyWorkflow,
  Cursor = undefined,
  Keys extends string = never,
>(
  options: PollOptions<W, Cursor> & Known<Keys, PollOption>,
): Poll {
  const checks = newChecks();
  const read = checks.options(options, "options", OPTIONS);
  const name = checks.name(read["name"], "its name");
  const workflow = checkWorkflow(read["workflow"], checks);
  const { cursor } = read;
  if (read["every"] === undefined) checks.report("it has no \`every\`");
  if (read["check"] === undefined) checks.report("it has no \`check\`");
  const everyMs = checkInterval(read["every"], checks) ?? 0;
  const check = checks.fn<Poll["check"]>(read["check"], "check");
  const timeoutMs = checks.timeout(read["timeout"], "timeout") ?? DEFAULT_TIMEOUT_MS;
  try {
    encodeJson(cursor, "cursor", Infinity);
  } catch (error) {
    checks.report(error instanceof Error ? error.message : String(error));
  }
  if (workflow === undefined || check === undefined || checks.problems.length > 0) {
    throw new DefinitionError(name, checks.problems, "poll");
  }
  return new Poll({ name, workflow, everyMs, check, cursor, timeoutMs });
}
