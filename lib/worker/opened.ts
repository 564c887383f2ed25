/**
 * A runner or client that a worker has opened.
 *
 * @module
 */
import { newChecks, type Options } from "../definition/checks.ts";
import type { AnyWorkflow } from "../definition/workflow.ts";
import { type Client, createClient } from "../engine/client/client.ts";
import { type ClientOptions, refuse, type RunnerOptions } from "../engine/options.ts";
import { createRunner } from "../engine/runner.ts";
import type { Logger } from "../logger.ts";
import type { Channel } from "./channel.ts";
import { readSchedules, readWorkflows } from "./definitions.ts";
import { isRetried } from "./errors.ts";
import { createFunctions } from "./functions.ts";
import type { Invocations } from "./invocations.ts";
import { isObject, type Members } from "./protocol.ts";
import { createObservedEvents, type ObservedEvents } from "./streams.ts";

/** A runner or client of a worker. */
export interface Opened {
  readonly client: Client<AnyWorkflow>;
  /** The result of `open`. */
  readonly description: Members;
  /** The events of its runs; `undefined` if they are not observed. */
  readonly observed: ObservedEvents | undefined;
  /** Stops it; bodies get `timeout` to finish. */
  close(timeout: unknown): Promise<void>;
}

/** What opening needs of a connection. */
export interface OpenPort {
  readonly channel: Channel;
  readonly invocations: Invocations;
}

const PARAMS = ["url", "role", "options", "workflows", "schedules", "log", "observe"];
const CLIENT_OPTIONS = ["schema", "password", "durability", "maxPayloadBytes"];
const RUNNER_OPTIONS = [
  ...CLIENT_OPTIONS,
  ...["defaults", "concurrency", "maxRuns", "lease", "retention", "onVersionChange", "recoveryLimit"],
];

const LEVELS = { debug: 0, info: 1, warn: 2, error: 3, none: 4 };

/** No log line is sent while more than this is unwritten, in characters. */
const MOST_UNWRITTEN = 1024 * 1024;

/**
 * Opens a store for a worker.
 *
 * @throws {DefinitionError} If a definition is invalid.
 * @throws {StoreError} If the store cannot be opened.
 * @throws {TypeError} If a parameter is invalid.
 */
export async function openFor(runner: number, params: Members, { channel, invocations }: OpenPort): Promise<Opened> {
  const checks = newChecks();
  const read = checks.options(params, "params", PARAMS);
  const url = checks.text(read["url"], "url");
  const role = checks.word(read["role"], "role", { runner: 1, client: 1 }) ?? "runner";
  const level = checks.word(read["log"], "log", LEVELS) ?? "warn";
  const { observe = false } = read;
  if (url === undefined) checks.report("url is missing");
  if (typeof observe !== "boolean") checks.report("observe must be true or false");
  const options = checks.options(read["options"] ?? {}, "options", role === "runner" ? RUNNER_OPTIONS : CLIENT_OPTIONS);
  refuse("open a store", checks);
  const functions = createFunctions(runner, invocations);
  const workflows = readWorkflows(read["workflows"], functions);
  const observed = role === "runner" && observe === true ? createObservedEvents() : undefined;
  const common = {
    ...options,
    workflows,
    ...(read["schedules"] !== undefined && { schedules: readSchedules(read["schedules"], workflows, functions) }),
    logger: createLogger(runner, level, channel),
  };
  const description = {
    runner,
    workflows: workflows.map(({ name, version, structure }) => ({ name, version, structure })),
  };
  // Decoder's casts: the engine checks its options.
  if (role === "client") {
    const client = await createClient(url!, common as ClientOptions<AnyWorkflow>);
    return { client, description, observed, close: () => client.stop() };
  }
  const client = await createRunner(url!, {
    ...common,
    defaults: defaultsOf(options),
    ...(observed !== undefined && { onEvent: observed.add }),
  } as RunnerOptions<AnyWorkflow>);
  return {
    client,
    description,
    observed,
    async close(timeout) {
      await client.stop(timeout === undefined ? {} : { timeout: timeout as number });
      observed?.close();
    },
  };
}

/** The worker says which errors are retried, also of tasks that state no policy. */
function defaultsOf({ defaults = {} }: Options): unknown {
  if (!isObject(defaults)) return defaults;
  const { retry } = defaults;
  const policy = retry === undefined ? {} : typeof retry === "number" ? { attempts: retry } : retry;
  return { ...defaults, retry: isObject(policy) ? { ...policy, retryIf: isRetried } : policy };
}

function createLogger(runner: number, least: keyof typeof LEVELS, channel: Channel): Logger {
  let missed = 0;
  const writer = (level: Exclude<keyof typeof LEVELS, "none">): Logger["info"] => (message, fields) => {
    if (LEVELS[level] < LEVELS[least]) return;
    if (channel.unwritten > MOST_UNWRITTEN) return void missed++;
    channel.notify("log", { runner, level, message, fields, ...(missed > 0 && { missed }) });
    missed = 0;
  };
  return { debug: writer("debug"), info: writer("info"), warn: writer("warn"), error: writer("error") };
}
