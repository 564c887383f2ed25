/**
 * Workflows and schedules that a worker has sent as data.
 *
 * @module
 */
import { type Checks, newChecks, shown } from "../definition/checks.ts";
import { type DynamicDefinition, type DynamicTask, dynamicWorkflow } from "../definition/dynamic.ts";
import { didYouMean } from "../definition/nearest.ts";
import { type Poll, poll, type PollOptions } from "../definition/poll.ts";
import { type Schedule, schedule } from "../definition/schedule.ts";
import { type Schema, unchecked } from "../definition/schema.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { DefinitionError } from "../errors.ts";
import { isRetried } from "./errors.ts";
import { type Functions, readRef } from "./functions.ts";
import type { FunctionRef } from "./invocations.ts";
import { isObject, type Members } from "./protocol.ts";

/** Options of a task that are functions. */
const TASK_FUNCTIONS = ["when", "run", "undo", "over", "input"];
const HOOKS = ["onSuccess", "onFailure"];
/** Options of a task that are values or functions. */
const TASK_VALUES = ["key", "for", "until"];
const LIMIT_VALUES = ["key", "weight"];

/**
 * Creates the workflows of a worker, which may name each other in any order.
 *
 * @throws {DefinitionError} If a definition is invalid.
 */
export function readWorkflows(value: unknown, functions: Functions): readonly AnyWorkflow[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot define workflows: workflows must be an array, not ${shown(value)}`);
  }
  const byName = new Map<string, AnyWorkflow>();
  const names = value.map((one) => isObject(one) ? one["name"] : undefined);
  for (const [at, definition] of value.entries()) {
    const workflow = readWorkflow(definition, { functions, at, names, byName });
    byName.set(workflow.name, workflow);
  }
  return [...byName.values()];
}

/**
 * Creates the schedules and polls of a worker.
 *
 * @throws {DefinitionError} If a definition is invalid.
 */
export function readSchedules(
  value: unknown,
  workflows: readonly AnyWorkflow[],
  functions: Functions,
): readonly (Schedule | Poll)[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot define schedules: schedules must be an array, not ${shown(value)}`);
  }
  return value.map((definition, at) => {
    const checks = newChecks();
    const { kind, ...options } = checks.record(definition, `schedules[${at}]`);
    const known = workflows.find(({ name }) => name === options["workflow"]);
    if (known === undefined) {
      const names = workflows.map(({ name }) => name);
      checks.report(`there is no workflow ${shown(options["workflow"])}${didYouMean(options["workflow"], names)}`);
    }
    checks.word(kind, "kind", { schedule: 1, poll: 1 });
    const isPoll = kind === "poll";
    const check = isPoll ? readRef(options["check"], "check", checks) : undefined;
    const computeInput = isPoll ? undefined : readRef(options["computeInput"], "computeInput", checks);
    if (computeInput !== undefined && options["input"] !== undefined) {
      checks.report("input and computeInput exclude each other; leave one out");
    }
    if (checks.problems.length > 0 || known === undefined) {
      throw new DefinitionError(String(options["name"] ?? ""), checks.problems, isPoll ? "poll" : "schedule");
    }
    // A decoder's casts: both check their options.
    if (isPoll) {
      const own = check === undefined ? {} : { check: functions.of(check, ["cursor"]) };
      return poll({ ...options, ...own, workflow: known } as unknown as PollOptions<AnyWorkflow, unknown>);
    }
    const own = computeInput === undefined ? {} : { input: functions.of(computeInput, ["tick", "previous"]) };
    const stated = Object.fromEntries(Object.entries(options).filter(([name]) => name !== "computeInput"));
    return schedule({ ...stated, ...own, workflow: known } as Parameters<typeof schedule>[0]);
  });
}

/** Where a workflow is defined. */
interface Place {
  readonly functions: Functions;
  readonly at: number;
  /** The names of all workflows that are defined. */
  readonly names: readonly unknown[];
  /** Those that are created. */
  readonly byName: ReadonlyMap<string, AnyWorkflow>;
}

function readWorkflow(definition: unknown, place: Place): AnyWorkflow {
  const checks = newChecks();
  const options = checks.record(definition, `workflows[${place.at}]`);
  const name = options["name"];
  if (place.names.indexOf(name) < place.at) checks.report("there is another workflow with this name");
  const { functions } = place;
  const input = readRef(options["input"], "input", checks);
  const limits = readLimits(options["limits"], "limits", undefined, checks);
  if (limits.some(hasFunction) && options["version"] === undefined) {
    checks.report("its limits have paths, so it must state a version");
  }
  const tasks = Array.isArray(options["tasks"])
    ? options["tasks"].map((task) =>
      readTask(task, { ...place, isVersioned: options["version"] !== undefined }, checks)
    )
    : options["tasks"];
  checks.refuse(name);
  // A decoder's cast: dynamicWorkflow() checks what it is given.
  return dynamicWorkflow({
    ...options,
    tasks,
    ...(input !== undefined && { input: schemaOf(functions, input) }),
    ...(options["limits"] !== undefined && Array.isArray(options["limits"]) && { limits }),
  } as unknown as DynamicDefinition<string>);
}

function readTask(value: unknown, place: Place & { readonly isVersioned: boolean }, checks: Checks): DynamicTask {
  // What is not an object is reported by dynamicWorkflow().
  if (!isObject(value)) return value as DynamicTask;
  const { functions } = place;
  const what = `task ${shown(value["id"])}`;
  const task: Record<string, unknown> = { ...value };
  let hasCode = false;
  const replace = (name: string, make: (ref: FunctionRef) => unknown): void => {
    const ref = readRef(value[name], `${what}: ${name}`, checks);
    if (ref === undefined) return;
    hasCode = true;
    task[name] = make(ref);
  };
  for (const name of TASK_FUNCTIONS) replace(name, functions.ofTask);
  for (const name of HOOKS) replace(name, functions.ofHook);
  for (const name of TASK_VALUES) if (isObject(value[name])) replace(name, functions.ofTask);
  if (value["kind"] === "event") task["schema"] = unchecked();
  replace("schema", (ref) => schemaOf(functions, ref));
  if (Array.isArray(value["limits"])) {
    const limits = readLimits(value["limits"], `${what}: limits`, functions.ofLimit, checks);
    task["limits"] = limits;
    hasCode ||= limits.some(hasFunction);
  }
  if (value["workflow"] !== undefined) task["workflow"] = readChild(value["workflow"], what, place, checks);
  if (value["run"] !== undefined || value["over"] !== undefined) {
    task["retry"] = readRetry(value["retry"], what, checks);
  }
  if (task["retry"] === undefined) delete task["retry"];
  if (value["transaction"] !== undefined || value["kind"] === "transaction") {
    checks.report(`${what}: a worker has no transactions, as its bodies run in another process`);
  }
  if (hasCode && value["version"] === undefined && !place.isVersioned) {
    checks.report(`${what} has functions, so it or its workflow must state a version`);
  }
  return task as unknown as DynamicTask;
}

/** Which errors are retried is decided by the worker, whose error records say so. */
function readRetry(value: unknown, what: string, checks: Checks): unknown {
  if (value === undefined || typeof value === "number") {
    return value === undefined ? undefined : { attempts: value, retryIf: isRetried };
  }
  if (isObject(value)) {
    if ("retryIf" in value) checks.report(`${what}: retry has no retryIf; the worker states \`retry\` in its errors`);
    return { ...value, retryIf: isRetried };
  }
  return value;
}

function readChild(value: unknown, what: string, { names, byName }: Place, checks: Checks): () => AnyWorkflow {
  if (typeof value !== "string" || !names.includes(value)) {
    checks.report(
      `${what}: there is no workflow ${shown(value)}${
        didYouMean(
          value,
          names.filter((name) => typeof name === "string"),
        )
      }`,
    );
  }
  return () => byName.get(String(value))!;
}

/** Reads limits. `make` makes their functions; without it, as for a workflow, they have none. */
function readLimits(
  value: unknown,
  what: string,
  make: ((ref: FunctionRef) => unknown) | undefined,
  checks: Checks,
): readonly unknown[] {
  if (!Array.isArray(value)) return [];
  return value.map((limit, at) => {
    if (!isObject(limit)) return limit;
    const own = LIMIT_VALUES.filter((name) => isObject(limit[name])).map((name) => {
      const place = `${what}[${at}]: ${name}`;
      if ("path" in (limit[name] as Members)) return [name, readPath(limit[name], place, checks)] as const;
      if (make === undefined) {
        checks.report(`${place} must be a value or a path, such as {"path": ["input", "tenant"]}`);
      }
      const ref = readRef(limit[name], place, checks);
      return [name, ref && make?.(ref)] as const;
    });
    return { ...limit, ...Object.fromEntries(own) };
  });
}

/** Reads the path of a member of the arguments, such as `["input", "tenant"]` or `["outputs", "load", "size"]`. */
function readPath(value: unknown, what: string, checks: Checks): (args: Members) => unknown {
  const { path } = checks.options(value, what, ["path"]);
  if (!Array.isArray(path) || path.some((key) => typeof key !== "string" && typeof key !== "number")) {
    checks.report(`${what}: path must be an array of names and indices, not ${shown(path)}`);
    return () => undefined;
  }
  const keys = path[0] === "outputs" ? path.slice(1) : path;
  return (args) => keys.reduce<unknown>(memberOf, args);
}

function memberOf(value: unknown, key: string | number): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string | number, unknown>>)[key]
    : undefined;
}

function hasFunction(limit: unknown): boolean {
  return isObject(limit) && LIMIT_VALUES.some((name) => typeof limit[name] === "function");
}

function schemaOf(functions: Functions, ref: FunctionRef): Schema {
  return { "~standard": { version: 1, vendor: "sluice-worker", validate: functions.ofSchema(ref) } };
}
