/**
 * Names of the options of tasks, and messages about those that are missing.
 *
 * If a required option is missing, a message takes the place of the id of the task (`MissingIn…`): one line, where the
 * compiler would print the whole type of the options. It comes first, as the id is the first argument.
 *
 * @module
 */
import type { ChildInput } from "./child.ts";
import type { Stray } from "./options_check.ts";

/** Names of the options that tasks of all kinds have. */
export type CommonOption = "after" | "reads" | "on" | "when" | "version";
/** Names of the options of a body. */
export type BodyOption =
  | "run"
  | "limits"
  | "retry"
  | "timeout"
  | "guarantee"
  | "onSuccess"
  | "onFailure"
  | "undo"
  | "transaction"
  | "version";
/** Names of the options of `.task()`. */
export type TaskOption = CommonOption | BodyOption;

/** Names of the options of `.map()`, which depend on whether it has a body or starts child runs. */
export type MapOption<Keys> =
  | CommonOption
  | "over"
  | "concurrency"
  | "onItemFailure"
  | "limits"
  | ("workflow" extends Keys ? "run" extends Keys ? BodyOption | "workflow" | "input" : "workflow" | "input"
    : Exclude<BodyOption, "onSuccess" | "onFailure">);
/** Names of the options of `.subworkflow()`. */
export type SubworkflowOption =
  | CommonOption
  | "limits"
  | "workflow"
  | "input"
  | "key"
  | "priority"
  | "tags"
  | "timeout";
/** Names of the options of `.event()`. */
export type EventOption = CommonOption | "schema" | "timeout";
/** Names of the options of `.sleep()`. */
export type SleepOption = CommonOption | "for" | "until";

/** A message about a missing option of a task, otherwise `never`. */
export type MissingInTask<Id extends string, Keys> = "run" extends Keys ? never
  : Unless<Stray<Keys, TaskOption>, `task '${Id}' has no \`run\``>;

/** A message about missing or contradictory options of a map, otherwise `never`. */
export type MissingInMap<Id extends string, Keys, W> = "over" extends Keys
  ? "run" extends Keys
    ? "workflow" extends Keys ? `map '${Id}' has both \`run\` and \`workflow\` - leave one out` : never
  : "workflow" extends Keys ? MissingInput<Id, Keys, W>
  : Unless<Stray<Keys, MapOption<Keys>>, `map '${Id}' has no \`run\` and no \`workflow\` - state one`>
  : Unless<Stray<Keys, MapOption<Keys>>, `map '${Id}' has no \`over\` - state a function that returns an array`>;

/** A message about a missing option of a subworkflow, otherwise `never`. */
export type MissingInSubworkflow<Id extends string, Keys, W> = "workflow" extends Keys ? MissingInput<Id, Keys, W>
  : Unless<Stray<Keys, SubworkflowOption>, `subworkflow '${Id}' has no \`workflow\``>;

/** A message about a missing option of an event, otherwise `never`. */
export type MissingInEvent<Id extends string, Keys> = "schema" extends Keys ? never
  : Unless<Stray<Keys, EventOption>, `event '${Id}' has no \`schema\` - state one, or unchecked<T>()`>;

/** A message about missing or contradictory options of a sleep, otherwise `never`. */
export type MissingInSleep<Id extends string, Keys> = "for" extends Keys
  ? "until" extends Keys ? `sleep '${Id}' has both \`for\` and \`until\` - leave one out` : never
  : "until" extends Keys ? never
  : Unless<Stray<Keys, SleepOption>, `sleep '${Id}' has no \`for\` and no \`until\` - state one`>;

/** `Message`, unless an option name is wrong, which explains more. */
export type Unless<Strays, Message> = [Strays] extends [never] ? Message : never;

/** A message about a missing input of a child run, otherwise `never`. */
export type MissingInput<Id extends string, Keys, W> = "input" extends Keys ? never
  : undefined extends ChildInput<W> ? never
  : `task '${Id}' has no \`input\`, and its workflow takes one`;
