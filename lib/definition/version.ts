/**
 * The content version: equal for equal definitions in any order and any process, different when one would behave
 * differently. Schemas are left out: a run's input was checked before it began, and libraries give no canonical form.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { TaskDefinition } from "./definition.ts";

/** What a version is made from. */
export interface VersionSource {
  /** The workflow's name. */
  readonly name: string;
  /** What it is for. */
  readonly description: string | undefined;
  /** Its tags. */
  readonly tags: readonly string[];
  /** Longest a run may take. */
  readonly timeoutMs: number | undefined;
  /** Its tasks, in any order. */
  readonly tasks: readonly TaskDefinition[];
  /** The task it returns. */
  readonly result: string | undefined;
  /** Stands for the code of every task that states no version of its own. */
  readonly statedVersion: string | undefined;
}

/** 16 hex digits over everything that makes a run behave as it does. */
export function versionOf(source: VersionSource): string {
  return hash([structure(source), source.statedVersion ?? null, byId(source.tasks).map((task) => code(task, source))]);
}

/** The same without the code of its functions. */
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
      task.on,
      task.timeoutMs ?? null,
      [task.retry.attempts, task.retry.backoff, task.retry.delayMs, task.retry.maxDelayMs, task.retry.jitter],
    ]),
  ];
}

function code(task: TaskDefinition, { statedVersion }: VersionSource): unknown {
  if (task.version !== undefined) return { version: task.version };
  if (statedVersion !== undefined) return null;
  return [task.run, task.when, task.retry.retryIf, task.onSuccess, task.onFailure].map(sourceText);
}

// Not fn.toString(), which a function may have of its own.
function sourceText(fn: ((...args: never[]) => unknown) | undefined): string | null {
  return fn === undefined ? null : Function.prototype.toString.call(fn);
}

// By code units: what a locale thinks of ids differs between machines.
function byId(tasks: readonly TaskDefinition[]): readonly TaskDefinition[] {
  return tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function hash(canonical: unknown): string {
  return createHash("sha256").update(JSON.stringify(canonical)).digest("hex").slice(0, 16);
}
