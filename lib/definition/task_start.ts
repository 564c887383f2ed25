import type { Duration } from "../duration.ts";
import type { ChildInput, Startable } from "./child.ts";

/** What a start does if a run with its key exists. */
export type IfExists = "return" | "compare" | "reject";

/** How long a run holds its key: until it is deleted, or until it ends. */
export type KeyScope = "ever" | "active";

/** Options of `ctx.start`. */
export interface TaskStartOptions {
  /**
   * A second start of the same workflow with the same key, from anywhere, returns the first run, as long as that run holds
   * the key (`keyScope`). 1 to 500 characters. A body that starts several runs of one workflow gives each a key.
   * @default `ctx.idempotencyKey`
   */
  readonly key?: string;
  /**
   * What to do if a run of the workflow with `key` exists that this task has not started. `"return"`: return it.
   * `"compare"`: return it if it was started with an equal input, or else throw a `KeyConflictError`. `"reject"`: throw a
   * `KeyConflictError`.
   *
   * @default {"return"}
   */
  readonly ifExists?: IfExists;
  /**
   * How long the run holds its key. `"ever"`: until it is deleted. `"active"`: until it ends, so that at most one run with
   * the key is pending, running, waiting, paused or compensating; a later start begins a new run. Keys of the two scopes are
   * distinct: a run with one of them does not stand for the other.
   *
   * @default {"ever"}
   */
  readonly keyScope?: KeyScope;
  /** The run starts no earlier than this long from now. Excludes `startAt`. */
  readonly delay?: Duration;
  /** The run starts no earlier than this time (a number is milliseconds since the epoch). Excludes `delay`. */
  readonly startAt?: Date | number;
  /**
   * Lower values run first, from -32,768 to 32,767. A step is worth a minute: a run is claimed before one whose priority is
   * n lower once that one became due more than n minutes after it, so that no run waits for ever. Runs that a runner has
   * claimed take turns.
   *
   * @default {0}
   */
  readonly priority?: number;
  /** Tags of the run, in addition to those of its workflow. @default {[]} */
  readonly tags?: readonly string[];
  /** The longest that the run may take, counted from its first claim. @default {undefined} the timeout of the workflow */
  readonly timeout?: Duration;
}

/** A run that a body has started. */
export interface StartedRun {
  /** Id of the run. */
  readonly runId: string;
  /** Whether this task inserted the run: false for a run with the same key. */
  readonly isNew: boolean;
}

/** `unknown` if the options of a start go together, or else the reason why they do not. */
export type Compatible<Options> = Options extends { readonly delay: unknown; readonly startAt: unknown }
  ? "`delay` and `startAt` exclude each other"
  : Options extends { readonly signal: unknown; readonly tx: unknown } ? "`signal` and `tx` exclude each other"
  : Options extends { readonly debounce: unknown } & Debouncable
    ? "`debounce` excludes `key`, `keyScope`, `ifExists`, `delay` and `startAt`"
  : unknown;

/** The options that `debounce` excludes. */
export type Debouncable =
  | { readonly key: unknown }
  | { readonly keyScope: unknown }
  | { readonly ifExists: unknown }
  | { readonly delay: unknown }
  | { readonly startAt: unknown };

/** The same for options that are about a key, where a run has a key only if it is stated. */
export type Keyed<Options> = "key" extends keyof Options ? unknown
  : Options extends { readonly keyScope: unknown } ? "`keyScope` needs a `key`"
  : Options extends { readonly ifExists: unknown } ? "`ifExists` needs a `key`"
  : unknown;

/** Arguments of a start after its target. The input is optional if its type includes `undefined`. */
export type StartArguments<Input, Options> = undefined extends Input ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

/** Arguments of `ctx.start` after the workflow. Of a workflow that is given by name, the type of its input is not known. */
export type TaskStartArgs<T, Options = TaskStartOptions> = T extends Startable
  ? StartArguments<ChildInput<T>, Options & TaskStartOptions & Compatible<Options>>
  : [input?: unknown, options?: Options & TaskStartOptions & Compatible<Options>];
