/**
 * The requests of a worker about runs and schedules: each is a method of the client with named parameters.
 *
 * @module
 */
import { newChecks } from "../definition/checks.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { type BulkFilter, countMatching } from "../engine/client/bulk.ts";
import type { Client } from "../engine/client/client.ts";
import { contextOf } from "../engine/client/client_context.ts";
import type { RunHandle } from "../engine/client/handle.ts";
import { refuse } from "../engine/options.ts";
import type { RunOutcome } from "../engine/client/outcome.ts";
import type { Resolution } from "../engine/client/resolve.ts";
import { toErrorRecord } from "../engine/errors/error_record.ts";
import { errorOfWorker } from "./errors.ts";
import { isObject, type Members } from "./protocol.ts";

/** What a method has of its caller. */
export interface MethodCall {
  readonly client: Client<AnyWorkflow>;
  /** The parameters, but for `runner`. */
  readonly params: Members;
  /** Aborts when the worker no longer awaits the result. */
  readonly signal: AbortSignal;
}

/** A method, with the names of its parameters. */
export interface Method {
  readonly allowed: readonly string[];
  call(call: MethodCall): Promise<unknown>;
}

/** What names a run. */
type Run = RunHandle<unknown, Readonly<Record<string, unknown>>, unknown, Readonly<Record<string, unknown>>>;

// The engine checks all that it is given: parameters are passed on as they are, by casts.
// deno-lint-ignore no-explicit-any
type Unchecked = any;

/** The methods by their names. */
export const METHODS: Readonly<Record<string, Method>> = {
  start: method(
    ["workflow", "input", "options"],
    async ({ client, params: { workflow, input, options } }) =>
      startedOf(await client.start(textOf(workflow, "workflow") as Unchecked, input, options as Unchecked)),
  ),
  startMany: method(["workflow", "inputs", "keys", "options"], startMany),
  execute: method(
    ["workflow", "input", "options"],
    async ({ client, params: { workflow, input, options } }) =>
      outcomeOf(await client.execute(textOf(workflow, "workflow") as Unchecked, input, options as Unchecked)),
  ),
  outcome: ofRun(
    ["timeout"],
    async (run, { params: { timeout }, signal }) =>
      outcomeOf(await run.outcome({ signal, ...(timeout !== undefined && { timeout: timeout as Unchecked }) })),
  ),
  status: ofRun([], (run) => run.status()),
  tasks: ofRun([], (run) => run.tasks()),
  children: ofRun([], (run) => run.children()),
  history: ofRun([], (run) => run.history()),
  explain: ofRun([], (run, { client }) => client.explain(run.id)),
  items: ofRun(
    ["taskId", "state", "limit", "cursor"],
    (run, { params: { taskId, ...options } }) => run.items(textOf(taskId, "taskId") as Unchecked, options),
  ),
  cancel: ofRun(
    ["reason", "compensate"],
    (run, { params: { reason, compensate } }) => run.cancel(reason as Unchecked, stated({ compensate })),
  ),
  pause: ofRun(["reason"], (run, { params: { reason } }) => run.pause(reason as Unchecked)),
  resume: ofRun([], (run) => run.resume()),
  retry: ofRun([], (run) => run.retry()),
  delete: ofRun([], (run) => run.delete()),
  send: ofRun(
    ["taskId", "payload"],
    (run, { client, params: { taskId, payload } }) => client.send(run.id, textOf(taskId, "taskId"), payload),
  ),
  resolve: ofRun(
    ["taskId", "item", "output", "error", "retry"],
    (run, { params: { taskId, item, ...resolution } }) =>
      run.resolve(textOf(taskId, "taskId") as Unchecked, resolutionOf(resolution), stated({ item })),
  ),
  fork: ofRun(
    ["from", "input", "outputs"],
    async (run, { params: { from, input, outputs } }) => startedOf(await run.fork(stated({ from, input, outputs }))),
  ),
  list: method(["filter"], ({ client, params }) => client.list(params["filter"] as Unchecked)),
  stranded: method([], ({ client }) => client.stranded()),
  blocked: method([], ({ client }) => client.blocked()),
  stats: method([], ({ client }) => client.stats()),
  limits: method(["options"], ({ client, params }) => client.limits(params["options"] as Unchecked)),
  cancelMany: many(
    "cancel",
    ["reason", "compensate"],
    (client, { filter, ...options }) => client.cancelMany(filter, options),
  ),
  pauseMany: many("pause", ["reason"], (client, { filter, ...options }) => client.pauseMany(filter, options)),
  resumeMany: many("resume", [], (client, { filter, ...options }) => client.resumeMany(filter, options)),
  retryMany: many("retry", [], (client, { filter, ...options }) => client.retryMany(filter, options)),
  deleteMany: many("delete", [], (client, { filter, ...options }) => client.deleteMany(filter, options)),
  tagMany: many("tag", ["tags"], (client, { filter, tags, ...options }) => client.tagMany(filter, tags, options)),
  "schedules.list": method([], ({ client }) => client.schedules.list()),
  "schedules.get": ofSchedule([], (name, { client }) => client.schedules.get(name)),
  "schedules.pause": ofSchedule([], (name, { client }) => client.schedules.pause(name)),
  "schedules.resume": ofSchedule([], (name, { client }) => client.schedules.resume(name)),
  "schedules.trigger": ofSchedule([], async (name, { client }) => startedOf(await client.schedules.trigger(name))),
  "schedules.history": ofSchedule(
    ["limit"],
    (name, { client, params: { limit } }) => client.schedules.history(name, stated({ limit })),
  ),
  "schedules.next": ofSchedule(
    ["count"],
    (name, { client, params: { count } }) => client.schedules.next(name, count as Unchecked),
  ),
  "schedules.backfill": ofSchedule(
    ["from", "to"],
    (name, { client, params: { from, to } }) => client.schedules.backfill(name, stated({ from, to })),
  ),
};

/**
 * Checks the names of parameters.
 *
 * @throws {TypeError} If there is no parameter with a name.
 */
export function checkNames(name: string, params: Members, allowed: readonly string[]): void {
  const checks = newChecks();
  checks.allow(params, "params", allowed);
  refuse(`call "${name}"`, checks);
}

function method(allowed: readonly string[], call: Method["call"]): Method {
  return { allowed, call };
}

function ofRun(allowed: readonly string[], call: (run: Run, call: MethodCall) => Promise<unknown>): Method {
  return method(["runId", ...allowed], async (request) => {
    const { runId, ...params } = request.params;
    return await call(request.client.get(textOf(runId, "runId")) as Run, { ...request, params });
  });
}

/** A bulk operation. With `dryRun` it changes nothing, and returns how many runs match. */
function many(
  action: string,
  allowed: readonly string[],
  call: (client: MethodCall["client"], params: Unchecked) => Promise<number>,
): Method {
  return method(["filter", "dryRun", ...allowed], async ({ client, params: { dryRun = false, ...params }, signal }) => {
    if (typeof dryRun !== "boolean") throw new TypeError(`Cannot ${action} runs: dryRun must be true or false`);
    if (!dryRun) return await call(client, { ...params, signal });
    return await countMatching(contextOf(client)!, action, params["filter"] as BulkFilter);
  });
}

function ofSchedule(allowed: readonly string[], call: (name: string, call: MethodCall) => Promise<unknown>): Method {
  return method(["name", ...allowed], (request) => call(textOf(request.params["name"], "name"), request));
}

async function startMany({ client, params: { workflow, inputs, keys, options } }: MethodCall): Promise<unknown> {
  const name = textOf(workflow, "workflow");
  if (!Array.isArray(inputs)) throw new TypeError(`Cannot start runs of "${name}": inputs must be an array`);
  if (keys !== undefined && !(Array.isArray(keys) && keys.length === inputs.length)) {
    throw new TypeError(`Cannot start runs of "${name}": keys must be an array with a key for each of the inputs`);
  }
  const ownKeys = keys === undefined ? {} : { key: (_input: unknown, index: number) => keys[index] };
  const runs = await client.startMany(name as Unchecked, inputs, { ...optionsOf(options), ...ownKeys });
  return { runs: runs.map(startedOf) };
}

function optionsOf(options: unknown): Members {
  if (options === undefined) return {};
  if (isObject(options)) return options;
  throw new TypeError("Cannot start runs: options must be an object");
}

function startedOf({ id, isNew }: Pick<Run, "id" | "isNew">): Members {
  return { runId: id, isNew };
}

function outcomeOf(outcome: RunOutcome): Members {
  return outcome.status === "failed" ? { ...outcome, error: toErrorRecord(outcome.error) } : outcome;
}

function resolutionOf({ error, ...resolution }: Members): Resolution {
  // Checked by the engine.
  const decision = isObject(error)
    ? { ...resolution, error: errorOfWorker(error) }
    : { ...resolution, ...stated({ error }) };
  return decision as unknown as Resolution;
}

/** Options without those that are `undefined`. */
function stated(options: Members): Unchecked {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function textOf(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw new TypeError(`${name} must be text`);
}
