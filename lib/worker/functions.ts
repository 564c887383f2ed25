/**
 * Functions of a worker in the form in which definitions have them: each calls the worker and returns a promise.
 *
 * @module
 */
import { asynchronous } from "../definition/asynchronous.ts";
import type { TaskArguments, TaskContext } from "../definition/context.ts";
import type { Checks } from "../definition/checks.ts";
import type { ValidationResult } from "../definition/schema.ts";
import { toErrorRecord } from "../engine/errors/error_record.ts";
import type { FunctionRef, Invocations } from "./invocations.ts";
import { isObject, type Members, ProtocolError } from "./protocol.ts";

/** Makes functions for the definitions of one runner or client. */
export interface Functions {
  /** A function of a task. */
  ofTask(ref: FunctionRef): (args: TaskArguments) => Promise<unknown>;
  /** A hook, which is called after its attempt: nothing waits for it when the runner stops. */
  ofHook(ref: FunctionRef): (event: TaskArguments) => Promise<unknown>;
  /** A function of a limit of a task, which is called before its attempt. */
  ofLimit(ref: FunctionRef): (args: TaskArguments) => Promise<unknown>;
  /** A validator. */
  ofSchema(ref: FunctionRef): (value: unknown) => Promise<ValidationResult<unknown>>;
  /** Any other function, which receives the members with these names. A member `signal` ends the call. */
  of(ref: FunctionRef, names: readonly string[]): (args: Members) => Promise<unknown>;
}

/** What a function of a task receives in addition to outputs. */
const ARGUMENTS: ReadonlySet<string> = new Set(["input", "status", "item", "index", "output", "error"]);

/** Reads a reference to a function; reports any other value. */
export function readRef(value: unknown, what: string, checks: Checks): FunctionRef | undefined {
  if (value === undefined) return undefined;
  if (!isRef(value)) {
    checks.report(`${what} must refer to a function, such as {"fn": "load/run"}`);
    return undefined;
  }
  const { fn, takes } = checks.options(value, what, ["fn", "takes"]);
  if (typeof fn !== "string" || fn === "") checks.report(`${what}: fn must be text that is not empty`);
  return {
    fn: String(fn),
    takes: takes === undefined ? undefined : new Set(checks.list(takes, `${what}: takes`, "task ids")),
  };
}

/** Whether a value refers to a function. */
export function isRef(value: unknown): value is Members {
  return isObject(value) && "fn" in value;
}

/** Creates the functions of a runner or client with a number. */
export function createFunctions(runner: number, { call }: Pick<Invocations, "call">): Functions {
  const callWith = ({ fn }: FunctionRef, args: Members, ctx?: TaskContext, signal = ctx?.signal): Promise<unknown> =>
    call({ runner, fn, args, ctx, signal });
  return {
    ofTask: (ref) => asynchronous((args) => callWith(ref, argumentsOf(args, ref), args.ctx)),
    ofHook: (ref) => (event) =>
      call({ runner, fn: ref.fn, args: argumentsOf(event, ref), ctx: event.ctx, signal: undefined }),
    ofLimit: (ref) => asynchronous((args) => callWith(ref, argumentsOf(args, ref))),
    ofSchema: (ref) => async (value) => validationOf(await callWith(ref, { value })),
    of: (ref, names) =>
      asynchronous(({ signal, ...args }: Members) => {
        const sent = Object.fromEntries(names.map((name) => [name, args[name]]));
        return callWith(ref, sent, undefined, signal instanceof AbortSignal ? signal : undefined);
      }),
  };
}

function argumentsOf(args: TaskArguments, { takes }: FunctionRef): Members {
  const sent: Record<string, unknown> = { input: args.input, outputs: outputsOf(args, takes), status: args.status };
  // Not in a loop over all members: large ones are decoded when they are read.
  for (const name of ["item", "index", "output"]) if (name in args) sent[name] = args[name];
  if ("error" in args) sent["error"] = toErrorRecord(args["error"]);
  return sent;
}

function outputsOf(args: TaskArguments, takes: FunctionRef["takes"]): Members {
  const outputs: Record<string, unknown> = Object.create(null);
  for (const id of Object.keys(args)) {
    if (id !== "ctx" && !ARGUMENTS.has(id) && (takes === undefined || takes.has(id))) outputs[id] = args[id];
  }
  return outputs;
}

function validationOf(output: unknown): ValidationResult<unknown> {
  const { value, issues } = isObject(output) ? output : {};
  if (issues === undefined && isObject(output)) return { value };
  if (Array.isArray(issues) && issues.every((issue) => isObject(issue) && typeof issue["message"] === "string")) {
    return { issues };
  }
  throw new ProtocolError(
    "invalid_function",
    'The validator must return {"value": …} or {"issues": [{"message": "…"}]}',
  );
}
