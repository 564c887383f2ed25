/**
 * The content version: equal for equal definitions in any order and any process, different for definitions that behave
 * differently. Schemas are not part of it: the input of a run was validated before the run was created, and schemas have
 * no canonical form.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { ChildDefinition, MapDefinition, TaskDefinition, TaskFunction } from "./definition.ts";
import type { ResolvedLimit, WhenFull } from "./limit.ts";

/** What a version is computed from. */
export interface VersionSource {
  /** The name of the workflow. */
  readonly name: string;
  /** The purpose of the workflow. */
  readonly description: string | undefined;
  /** Tags of each run. */
  readonly tags: readonly string[];
  /** The maximum duration of a run. */
  readonly timeoutMs: number | undefined;
  /** What bounds the runs. */
  readonly limits: readonly ResolvedLimit[];
  /** What a start does while a limit is full. */
  readonly whenFull: WhenFull;
  /** The tasks, in any order. */
  readonly tasks: readonly TaskDefinition[];
  /** The task whose output is the result. */
  readonly result: string | undefined;
  /** Replaces the code of each task that states no version. */
  readonly statedVersion: string | undefined;
}

/** Returns 16 hex digits over everything that determines the behaviour of a run. */
export function versionOf(source: VersionSource): string {
  const { limits, statedVersion, tasks } = source;
  const ofLimits = statedVersion === undefined ? limitFunctionsOf(limits).map(sourceText) : [];
  return hash([
    structure(source),
    statedVersion ?? null,
    byId(tasks).map((task) => code(task, source)),
    ...ifAny(ofLimits),
  ]);
}

/** Returns the same without the code of its functions. */
export function structureOf(source: VersionSource): string {
  return hash(structure(source));
}

function structure(source: VersionSource): unknown {
  return [
    source.name,
    source.description ?? null,
    [...new Set(source.tags)].sort(),
    source.timeoutMs ?? null,
    source.result ?? null,
    byId(source.tasks).map((task) => [
      task.id,
      task.kind,
      [...task.after].sort(),
      [...task.reads].sort(),
      task.on,
      task.timeoutMs ?? null,
      retryOf(task),
      policiesOf(task),
      ...ifAny(limitPoliciesOf(task.limits)),
    ]),
    ...ifAny(limitPoliciesOf(source.limits)),
    ...(source.whenFull === "wait" ? [] : [source.whenFull]),
  ];
}

/** A list as an element, and nothing for an empty list: versions without limits are those of releases without them. */
function ifAny(list: readonly unknown[]): readonly unknown[] {
  return list.length === 0 ? [] : [list];
}

function limitPoliciesOf(limits: readonly ResolvedLimit[]): readonly unknown[] {
  return limits.map(({ name, max, perMs, key, weight }) => [name, max, perMs ?? null, valueOf(key), valueOf(weight)]);
}

function limitFunctionsOf(limits: readonly ResolvedLimit[]): readonly (TaskFunction | undefined)[] {
  return limits.flatMap(({ key, weight }) => [functionOf(key), functionOf(weight)]);
}

/** `null` for a task that states none: the defaults of a runner are not part of a version. */
function retryOf({ retry }: TaskDefinition): unknown {
  if (retry === undefined) return null;
  return [retry.attempts, retry.backoff, retry.delayMs, retry.maxDelayMs, retry.jitter];
}

function code(task: TaskDefinition, { statedVersion }: VersionSource): unknown {
  if (task.version !== undefined) return { version: task.version };
  if (statedVersion !== undefined) return null;
  const { when, retry, onSuccess, onFailure, limits } = task;
  return [...functionsOf(task), when, retry?.retryIf, onSuccess, onFailure, ...limitFunctionsOf(limits)].map(
    sourceText,
  );
}

/** Options without code that only this kind of task has. */
function policiesOf(task: TaskDefinition): unknown {
  switch (task.kind) {
    case "task":
      return [task.guarantee];
    case "transaction":
      return [task.database];
    case "map":
      return [task.concurrency ?? null, task.onItemFailure, task.each.kind, itemPoliciesOf(task.each)];
    case "subworkflow":
      return childPoliciesOf(task);
    case "event":
      return [task.waitMs ?? null];
    case "sleep":
      return [valueOf(task.for), valueOf(task.until)];
  }
}

/** Functions that only this kind of task has, in a fixed order. */
function functionsOf(task: TaskDefinition): readonly (TaskFunction | undefined)[] {
  switch (task.kind) {
    case "task":
    case "transaction":
      return [task.run, task.undo];
    case "map":
      return [task.over, ...itemFunctionsOf(task.each)];
    case "subworkflow":
      return childFunctionsOf(task);
    case "event":
      return [];
    case "sleep":
      return [functionOf(task.for), functionOf(task.until)];
  }
}

function itemPoliciesOf(each: MapDefinition["each"]): unknown {
  switch (each.kind) {
    case "task":
      return [each.guarantee];
    case "transaction":
      return [each.database];
    case "subworkflow":
      return childPoliciesOf(each);
  }
}

function itemFunctionsOf(each: MapDefinition["each"]): readonly (TaskFunction | undefined)[] {
  switch (each.kind) {
    case "task":
    case "transaction":
      return [each.run, each.undo];
    case "subworkflow":
      return childFunctionsOf(each);
  }
}

// The name of the child workflow and not its version, which may depend on this one.
function childPoliciesOf(child: ChildDefinition): unknown {
  const { workflow, key, priority, tags, childTimeoutMs } = child;
  return [workflow().name, valueOf(key), priority ?? null, [...tags].sort(), childTimeoutMs ?? null];
}

function childFunctionsOf({ input, key }: ChildDefinition): readonly (TaskFunction | undefined)[] {
  return [input, functionOf(key)];
}

type Value = number | string | readonly string[];

/** An option that is a value or a function: the value, or whether there is a function. */
function valueOf(option: Value | TaskFunction | undefined): unknown {
  return typeof option === "function" ? "function" : option ?? null;
}

/** The function of such an option. */
function functionOf(option: Value | TaskFunction | undefined): TaskFunction | undefined {
  return typeof option === "function" ? option : undefined;
}

// Not fn.toString(), which a function may override.
function sourceText(fn: ((...args: never[]) => unknown) | undefined): string | null {
  return fn === undefined ? null : Function.prototype.toString.call(fn);
}

// By code units: the order of a locale differs between machines.
function byId(tasks: readonly TaskDefinition[]): readonly TaskDefinition[] {
  return tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function hash(canonical: unknown): string {
  return createHash("sha256").update(JSON.stringify(canonical)).digest("hex").slice(0, 16);
}
