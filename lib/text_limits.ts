/**
 * The texts that become values of columns and of filters, and what they may contain. Every text of a caller is checked
 * here before it reaches a store: Postgres has no NUL characters and no lone surrogates, and SQLite would return them
 * as something else.
 *
 * @module
 */

/** The longest texts by what they are, in UTF-16 code units. */
export const TEXT_LIMITS = {
  /** The name of a workflow, a schedule and the like, and the id of a task. */
  name: 200,
  /** The name of a step. */
  step: 200,
  /** The key of a run. */
  key: 500,
  /** A text of the key of a limit. */
  limitKey: 200,
  /** A tag of a run. */
  tag: 200,
  /** The reason of a cancel or a pause, or of a task that waits. */
  reason: 2_000,
  /** A text that is sought in the errors of runs. */
  search: 2_000,
} as const;

/** What a text is. */
export type TextKind = keyof typeof TEXT_LIMITS;

/** The most tags of a workflow or of a start. */
export const MOST_TAGS = 100;

/** Returns what is wrong with a text, as the end of a clause; `undefined` if a store can keep it. */
export function textProblem(text: string, kind: TextKind): string | undefined {
  const longest = TEXT_LIMITS[kind];
  if (text.length > longest) return `must not be longer than ${longest} characters`;
  if (text.includes("\0")) return "must not contain NUL characters";
  return text.isWellFormed() ? undefined : "must not contain lone surrogates";
}

/** Returns a text as a store can keep it: cut, and with U+FFFD for NUL characters and lone surrogates. */
export function storableText(text: string, kind: TextKind): string {
  const longest = TEXT_LIMITS[kind];
  const cut = text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
  return cut.replaceAll("\0", "\ufffd").toWellFormed();
}
