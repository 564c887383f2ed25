/**
 * Compile-time messages for unknown option names, such as `retries` instead of `retry`.
 *
 * The compiler infers the union of the names that a literal states (`Keys`) from a mapped type beside the options. A name
 * that is not an option gets a string literal, the message, for its type. Names of options get `unknown`, which changes
 * nothing in an intersection, so that inference and completions are those of the options alone.
 *
 * @module
 */

/**
 * Accepts the option names in `Options`; any other name has a message for its type.
 *
 * Two mapped types: the compiler infers `Keys` from the first and would also infer through its members, so these must be
 * trivial. A single mapped type costs four times as many types.
 */
export type Known<Keys extends string, Options> =
  & { readonly [K in Keys]?: unknown }
  & { readonly [K in Stray<Keys, Options>]?: UnknownOption<K, Options> };

/** The names in `Keys` that are not options. */
export type Stray<Keys, Options> = Exclude<Keys, Options>;

/** The message for a name that is not an option; `unknown` if the name is not a literal. */
export type UnknownOption<K, Options> = string extends K ? unknown
  : K extends "undo" ? "`undo` is only for tasks and maps with `run` - a child run undoes its own tasks"
  : K extends "limits" ? "`limits` is only for workflows, tasks, maps and subworkflows"
  : K extends keyof Foreign ? Foreign[K] extends Options ? Suggest<K, Foreign[K]> : Suggest<K, Near<K, Options>>
  : K extends string ? Suggest<K, Near<K, Options>>
  : unknown;

/** The message for `K`, with a suggestion if there is one. */
export type Suggest<K extends string, Option extends string> = [Option] extends [never] ? `unknown option '${K}'`
  : `unknown option '${K}' - did you mean '${Option}'?`;

/** The options that are one edit away from `K` or differ only in case. */
export type Near<K extends string, Options> = Options extends string ? Lowercase<K> extends Lowercase<Options> ? Options
  : IsOneEdit<K, Options> extends true ? Options
  : never
  : never;

/** Whether `B` is `A` with one letter removed, added, changed or swapped with its neighbour. */
export type IsOneEdit<A extends string, B extends string> = A extends `${infer X}${infer RestA}`
  ? B extends `${infer Y}${infer RestB}` ? X extends Y ? IsOneEdit<RestA, RestB>
    : A extends RestB ? true
    : RestA extends B ? true
    : RestA extends RestB ? true
    : RestA extends `${Y}${infer TailA}`
      ? RestB extends `${X}${infer TailB}` ? TailA extends TailB ? true : false : false
    : false
  : RestA extends "" ? true
  : false
  : B extends `${string}${infer RestB}` ? RestB extends "" ? true : false
  : false;

/** Names that other engines use for an option, and the option. */
// A type alias, as each member of an exported interface needs documentation.
export type Foreign = {
  readonly attempts: "retry";
  readonly retries: "retry";
  readonly maxAttempts: "retry";
  readonly maxRetries: "retry";
  readonly retryPolicy: "retry";
  readonly backoff: "retry";
  readonly dependsOn: "after";
  readonly depends: "after";
  readonly dependencies: "after";
  readonly deps: "after";
  readonly needs: "after";
  readonly parents: "after";
  readonly requires: "after";
  readonly settle: "on";
  readonly settled: "on";
  readonly trigger: "on";
  readonly triggerRule: "on";
  readonly condition: "when";
  readonly if: "when";
  readonly skipIf: "when";
  readonly handler: "run";
  readonly fn: "run";
  readonly body: "run";
  readonly execute: "run";
  readonly timeoutMs: "timeout";
  readonly compensate: "undo";
  readonly compensation: "undo";
  readonly rollback: "undo";
  readonly onRollback: "undo";
  readonly exactlyOnce: "guarantee";
  readonly onError: "onFailure";
  readonly onComplete: "onSuccess";
  readonly onCompleted: "onSuccess";
  readonly items: "over";
  readonly each: "over";
  readonly forEach: "over";
  readonly parallel: "concurrency";
  readonly parallelism: "concurrency";
  readonly batchSize: "concurrency";
  readonly maxConcurrency: "concurrency";
  readonly rateLimit: "limits";
  readonly throttle: "limits";
  readonly concurrencyLimit: "limits";
  readonly onItemError: "onItemFailure";
  readonly child: "workflow";
  readonly payload: "schema";
  readonly idempotencyKey: "key";
  readonly duration: "for";
  readonly delay: "for";
  readonly ms: "for";
  readonly at: "until";
  readonly inputSchema: "input";
  readonly schema: "input";
  readonly desc: "description";
  readonly title: "description";
  readonly labels: "tags";
};
