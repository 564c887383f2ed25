import { isAsynchronous } from "../../definition/asynchronous.ts";
import { constantLimit, keyOf, NO_LIMITS, type ResolvedLimit, weightOf } from "../../definition/limit.ts";
import type { WorkflowDefinition } from "../../definition/definition.ts";
import { decodeJson } from "../../definition/json.ts";
import type { LaneRef, LimitRule, PermitRequest, RunLimits } from "../../store/port/limits.ts";
import { childDefinitionOf } from "../machine/child_definition.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { Attempt, LiveUnit } from "../runs/live_run.ts";
import type { Plan } from "../machine/plan.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { argumentsOf } from "../execution/unit_arguments.ts";

/** What bounds the attempts at a unit: the limits of a map bound its items, and not the function that computes them. */
export function limitsOf(unit: LiveUnit): readonly ResolvedLimit[] {
  const { limits, items } = nodeOf({ unit });
  return items !== undefined && unit.item === NO_ITEM ? NO_LIMITS : limits;
}

/** Whether a unit keeps its slots while its child run is active, also after its runner has died. */
export function isLasting(unit: LiveUnit): boolean {
  return childDefinitionOf(nodeOf({ unit }).task, unit.item) !== undefined;
}

/**
 * Calls `ask` with the slots that an attempt needs, or `failed` with what was thrown: the function of a limit threw or
 * returned no key or weight, or the store has no valid text of what it receives. Later if a function is marked as
 * asynchronous, and not at all if the attempt was dropped in the meantime.
 */
export function requestPermit(
  attempt: Attempt,
  failed: (attempt: Attempt, thrown: unknown) => void,
  ask: (request: PermitRequest) => void,
): void {
  let request: PermitRequest | Promise<PermitRequest>;
  try {
    request = permitRequestOf(attempt);
  } catch (thrown) {
    return failed(attempt, thrown);
  }
  if (!(request instanceof Promise)) return ask(request);
  attempt.stage = "loading";
  const isAwaited = (): boolean => attempt.stage === "loading" && !attempt.unit.run.gone;
  request.then((known) => isAwaited() && ask(known), (thrown) => isAwaited() && failed(attempt, thrown));
}

function permitRequestOf(attempt: Attempt): PermitRequest | Promise<PermitRequest> {
  const limits = limitsOf(attempt.unit);
  if (isConstant(limits)) return requestOf(limits, undefined);
  const args = argumentsOf(attempt);
  if (!limits.some(({ key, weight }) => isAsynchronous(key) || isAsynchronous(weight))) return requestOf(limits, args);
  return Promise.all(limits.map((limit) => constantLimit(limit, args))).then((known) => requestOf(known, undefined));
}

/**
 * Returns the slots that a run needs; `undefined` if its workflow has no limits.
 *
 * @throws {TypeError} If the function of a limit throws, or returns no key or weight.
 */
export function runLimitsOf(
  { limits, whenFull }: Pick<WorkflowDefinition, "limits" | "whenFull">,
  input: string | undefined,
): RunLimits | undefined {
  if (limits.length === 0) return undefined;
  const args = isConstant(limits) ? undefined : { input: decodeJson(input, "the input of the run") };
  return { ...requestOf(limits, args), whenFull };
}

function isConstant(limits: readonly ResolvedLimit[]): boolean {
  return limits.every(({ key, weight }) => typeof key !== "function" && typeof weight !== "function");
}

/** The weight is the product of those of the limits, as a queue has one share. */
function requestOf(limits: readonly ResolvedLimit[], args: unknown): PermitRequest {
  const lanes = limits.map((limit): LaneRef => ({
    limit: limit.name,
    isRate: limit.perMs !== undefined,
    key: keyOf(limit, args),
  }));
  return { lanes, weight: limits.reduce((product, limit) => product * weightOf(limit, args), 1) };
}

/**
 * Returns the rules of all limits of workflows.
 *
 * @throws {TypeError} If two limits with one name have different numbers.
 */
export function rulesOf(plans: Iterable<Plan>, action: string): readonly LimitRule[] {
  const rules = new Map<string, ResolvedLimit>();
  for (const { workflow, nodes } of plans) {
    for (const limit of [...workflow.limits, ...nodes.flatMap(({ limits }) => limits)]) {
      const known = rules.get(limit.name);
      if (known !== undefined && (known.max !== limit.max || known.perMs !== limit.perMs)) {
        throw new TypeError(
          `Cannot ${action}: limit "${limit.name}" is ${inWords(known)} of ${known.of} and ${inWords(limit)} of ` +
            `${limit.of}; limits with one name need the same max and per`,
        );
      }
      rules.set(limit.name, limit);
    }
  }
  return [...rules.values()].map(({ name, max, perMs }) => ({ name, max, perMs }));
}

function inWords({ max, perMs }: LimitRule): string {
  return perMs === undefined ? `${max}` : `${max} per ${perMs} ms`;
}

/** Whether a unit has limits. */
export function isLimited(unit: LiveUnit): boolean {
  return limitsOf(unit).length > 0;
}
