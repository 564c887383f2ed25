/**
 * Validation of what a workflow consists of besides the options of its tasks. The compiler reports the same mistakes; these
 * checks are for callers without it.
 *
 * @module
 */
import { type Checks, type Options, shown } from "./checks.ts";
import type { TaskDefinition } from "./definition.ts";
import { lazy } from "./lazy.ts";
import type { ResolvedLimit, WhenFull } from "./limit.ts";
import { didYouMean } from "./nearest.ts";
import { readLimits } from "./read_limits.ts";
import { isSchema, type Schema } from "./schema.ts";

/** A workflow without its tasks. */
export interface WorkflowSettings {
  /** The purpose of the workflow. */
  readonly description: string | undefined;
  /** Validates the input. */
  readonly input: Schema | undefined;
  /** Tags of each run. */
  readonly tags: readonly string[];
  /** The maximum duration of a run. */
  readonly timeoutMs: number | undefined;
  /** What bounds the runs. */
  readonly limits: readonly ResolvedLimit[];
  /** What a start does while a limit is full. */
  readonly whenFull: WhenFull;
  /** Replaces the code in the content version, if stated. */
  readonly statedVersion: string | undefined;
}

/** Names of the options of a workflow. */
export const WORKFLOW_OPTIONS: readonly string[] = [
  "description",
  "input",
  "tags",
  "timeout",
  "limits",
  "whenFull",
  "version",
];

/** Reads the options of a workflow with a name. */
export function readSettings(name: unknown, { options, checks }: SettingsSource): WorkflowSettings {
  const { description, input, tags, timeout, version } = options;
  if (input !== undefined && !isSchema(input)) {
    checks.report(`input must be a Standard Schema, such as one of zod, valibot or arktype, not ${shown(input)}`);
  }
  const checkedTags = checks.tags(tags, "tags");
  return {
    description: checks.text(description, "description"),
    input: isSchema(input) ? input : undefined,
    tags: checkedTags,
    timeoutMs: checks.timeout(timeout, "timeout"),
    ...readWorkflowLimits(typeof name === "string" ? name : "", { options, checks }),
    statedVersion: checks.version(version, "version"),
  };
}

/** What the settings of a workflow are read from. */
export interface SettingsSource {
  /** The options of the workflow. */
  readonly options: Options;
  /** Receives problems. */
  readonly checks: Checks;
}

function readWorkflowLimits(
  name: string,
  { options, checks }: SettingsSource,
): Pick<WorkflowSettings, "limits" | "whenFull"> {
  const limits = readLimits(options["limits"], { what: "limits", of: `workflow "${name}"`, name, checks });
  const whenFull = checks.word(options["whenFull"], "whenFull", WHEN_FULL) ?? "wait";
  const { limits: stated = [] } = options;
  if (options["whenFull"] !== undefined && Array.isArray(stated) && stated.length === 0) {
    checks.report("whenFull is only for a workflow with limits; state limits, or leave it out");
  }
  if (whenFull === "replace" && limits.some(({ perMs }) => perMs !== undefined)) {
    checks.report('whenFull must not be "replace" with a limit that has `per`: a start cannot be taken back');
  }
  return { limits, whenFull };
}

const WHEN_FULL: Record<WhenFull, true> = { wait: true, reject: true, replace: true };

/** Checks the id of a task: a name that is not reserved. Returns it, or `""` if it is not a string. */
export function checkTaskId(id: unknown, what: string, checks: Checks): string {
  const name = checks.name(id, what);
  if (RESERVED.includes(name)) checks.report(`${what} must not be "${name}": it names a task argument`);
  // It would work in our own records, but not in copies that programs make of them with Object.assign().
  if (name === "__proto__") checks.report(`${what} must not be "__proto__", which is reserved by JavaScript`);
  return name;
}

/** The tasks that a task or `returns` can name. */
export interface Candidates {
  /** A description, such as `"an earlier task"`. */
  readonly what: string;
  /** Whether a candidate has this id. */
  has(id: string): boolean;
  /** The dependencies of a candidate. */
  after(id: string): readonly string[];
  /** Ids of all candidates, for a suggestion. */
  ids(): Iterable<string>;
}

/** Checks that `after` of a task names candidates, and `reads` ancestors. */
export function checkDependencies(task: TaskDefinition, candidates: Candidates, checks: Checks): void {
  for (const id of task.after) {
    if (id === task.id) checks.report(`task "${id}" depends on itself`);
    else if (!candidates.has(id)) checks.report(`task "${task.id}" depends on ${notACandidate(id, candidates)}`);
  }
  const ancestors = lazy(() => ancestorsOf(task, candidates));
  for (const id of task.reads) {
    if (id === task.id) checks.report(`task "${id}" reads its own output`);
    else if (!candidates.has(id)) checks.report(`task "${task.id}" reads ${notACandidate(id, candidates)}`);
    else if (!ancestors().has(id)) {
      checks.report(`task "${task.id}" reads "${id}", which is not one of its ancestors; name it in after`);
    }
  }
}

/** Checks that `returns` names a candidate. */
export function checkResult(id: unknown, candidates: Candidates, checks: Checks): void {
  if (typeof id === "string" && candidates.has(id)) return;
  checks.report(`returns names ${notACandidate(id, candidates)}`);
}

const RESERVED = ["input", "ctx", "status", "item", "index", "output", "error", "tx"];

function notACandidate(id: unknown, { what, ids }: Candidates): string {
  return `${shown(id)}, which is not ${what}${didYouMean(id, ids())}`;
}

function ancestorsOf(task: TaskDefinition, candidates: Candidates): ReadonlySet<string> {
  const ancestors = new Set(task.after);
  for (const id of ancestors) {
    if (candidates.has(id)) { for (const dependency of candidates.after(id)) ancestors.add(dependency); }
  }
  return ancestors;
}
