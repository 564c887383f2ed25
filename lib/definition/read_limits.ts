import { type Checks, type Options, shown } from "./checks.ts";
import type { TaskDefinition } from "./definition.ts";
import type { TaskSource } from "./kinds/kind.ts";
import { isWeight, keyProblem, MOST_LIMITS, NO_LIMITS, pathOf, type ResolvedLimit, weightProblem } from "./limit.ts";

/** What a list of limits is read for. */
export interface LimitsSource {
  /** The beginning of each message, such as `task "pay": limits`. */
  readonly what: string;
  /** What states the limits, as in `ResolvedLimit`. */
  readonly of: string;
  /** The name of a limit that states none; `undefined` if it is not known yet. */
  readonly name: string | undefined;
  /** Receives problems. */
  readonly checks: Checks;
}

/** Reads the option `limits` of a task. */
export function readTaskLimits({ id, workflow, what, options, checks }: TaskSource): readonly ResolvedLimit[] {
  return readLimits(options["limits"], {
    what: `${what}: limits`,
    of: `task "${id}" of workflow "${workflow}"`,
    name: `${workflow}/${id}`,
    checks,
  });
}

/** Reports the option `limits` of a task of a kind that takes no slot. */
export function refuseLimits({ what, options, checks }: TaskSource): readonly ResolvedLimit[] {
  if (options["limits"] !== undefined) {
    checks.report(`${what}: limits is only for workflows, tasks, maps and subworkflows; this task takes no slot`);
  }
  return NO_LIMITS;
}

/** Reads an option `limits`. */
export function readLimits(value: unknown, { what, of, name, checks }: LimitsSource): readonly ResolvedLimit[] {
  if (value === undefined) return NO_LIMITS;
  if (!Array.isArray(value)) {
    checks.report(`${what} must be an array of limits, not ${shown(value)}`);
    return NO_LIMITS;
  }
  if (value.length > MOST_LIMITS) {
    checks.report(`${what} must not have more than ${MOST_LIMITS} entries, not ${value.length}`);
  }
  let unnamed = 0;
  const places = new Map<string, string>();
  // Array.from() fills holes with undefined, which is reported.
  const limits = Array.from<unknown>(value).slice(0, MOST_LIMITS).map((entry, at) => {
    const place = `${what}[${at}]`;
    const options = checks.options(entry, place, LIMIT_OPTIONS);
    const own = options["name"] === undefined ? defaultName() : checks.name(options["name"], `${place}: name`);
    if (own !== undefined) checkDistinct(own, place);
    return Object.freeze({ name: own ?? "", ...readLimit(options, place, checks), of });
  });
  return limits.length === 0 ? NO_LIMITS : Object.freeze(limits);

  // The first one has no number, so that a further one renames none.
  function defaultName(): string | undefined {
    unnamed++;
    return name === undefined || unnamed === 1 ? name : `${name}#${unnamed}`;
  }

  function checkDistinct(name: string, place: string): void {
    const same = places.get(name);
    if (same === undefined) places.set(name, place);
    else if (name !== "") checks.report(`${place} and ${same.slice(what.length)} have the same name: ${shown(name)}`);
  }
}

const LIMIT_OPTIONS = ["name", "key", "max", "per", "weight"];
const HIGHEST_MAX = 1_000_000;
const LONGEST_PER_MS = 366 * 86_400_000;

function readLimit(
  { key, max, per, weight }: Options,
  place: string,
  checks: Checks,
): Pick<ResolvedLimit, "max" | "perMs" | "key" | "weight"> {
  if (max === undefined) checks.report(`${place} has no \`max\`; state how many are allowed at once`);
  else if (!Number.isInteger(max) || Number(max) < 1 || Number(max) > HIGHEST_MAX) {
    checks.report(`${place}: max must be an integer from 1 to 1,000,000, not ${shown(max)}`);
  }
  const perMs = checks.duration(per, `${place}: per`);
  if (perMs !== undefined && (perMs < 1 || perMs > LONGEST_PER_MS)) {
    checks.report(`${place}: per must be from 1 ms to 366 days, not ${shown(per)}`);
  }
  return {
    max: Number(max),
    perMs,
    key: readKey(key, `${place}: key`, checks),
    weight: readWeight(weight, place, checks),
  };
}

function readKey(value: unknown, what: string, checks: Checks): ResolvedLimit["key"] {
  if (value === undefined) return undefined;
  if (typeof value === "function") return checks.fn<() => unknown>(value, what);
  const problem = keyProblem(value, what);
  if (problem === undefined) return pathOf(value);
  checks.report(problem);
  return undefined;
}

function readWeight(value: unknown, place: string, checks: Checks): ResolvedLimit["weight"] {
  if (value === undefined) return 1;
  if (typeof value === "function") return checks.fn<() => unknown>(value, place) ?? 1;
  if (!isWeight(value)) checks.report(weightProblem(value, `${place}: weight`));
  return isWeight(value) ? value : 1;
}

/** The limits of a workflow that those of a further task must agree with. */
export interface OtherLimits {
  /** The limits of the workflow. */
  readonly ofWorkflow: readonly ResolvedLimit[];
  /** Returns another task that has a limit with this name. */
  limitedBy(name: string): TaskDefinition | undefined;
}

/** Reports limits of a task that have the name of another limit of the workflow and cannot share its lanes. */
export function checkShared(
  { id, limits }: TaskDefinition,
  { ofWorkflow, limitedBy }: OtherLimits,
  checks: Checks,
): void {
  for (const limit of limits) {
    const isSame = ({ name }: ResolvedLimit): boolean => name === limit.name;
    const what = `task "${id}": limit ${shown(limit.name)}`;
    const own = ofWorkflow.find(isSame);
    const task = limitedBy(limit.name);
    const other = own ?? task?.limits.find(isSame);
    if (own !== undefined && own.perMs === undefined) {
      checks.report(`${what} is also a limit of the workflow, whose runs would wait for themselves; use another name`);
    } else if (other !== undefined && boundOf(other) !== boundOf(limit)) {
      const where = own === undefined ? `task "${task?.id}"` : "the workflow";
      checks.report(`${what} has ${boundOf(limit)}, but ${boundOf(other)} in ${where}; use one bound, or another name`);
    }
  }
}

function boundOf({ max, perMs }: ResolvedLimit): string {
  return perMs === undefined ? `max ${max}` : `max ${max} per ${perMs} ms`;
}
