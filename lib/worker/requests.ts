/**
 * The requests of a worker: which method each calls, and what is open.
 *
 * @module
 */
import { checkNames, METHODS } from "./methods.ts";
import { type Opened, openFor, type OpenPort } from "./opened.ts";
import { type Members, ProtocolError } from "./protocol.ts";
import { createEventStream, type EventStream, readMax } from "./streams.ts";
import { tenantMethod } from "./tenants.ts";

/** A request to answer. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: Members;
  /** Aborts when the worker no longer awaits the result. */
  readonly signal: AbortSignal;
}

/** What a worker has opened, and the requests about it. */
export interface Requests {
  /**
   * Executes a request; returns its result.
   *
   * @throws What the method throws; `unknown_method` if there is none.
   */
  execute(call: Call): Promise<unknown>;
  /** Closes all runners, clients and streams; bodies get `timeout` to finish. */
  close(timeout: unknown): Promise<void>;
}

type Method = (call: Call) => Promise<unknown>;

/** Creates the requests of a connection, on which nothing is open. */
export function createRequests(port: OpenPort): Requests {
  const { invocations } = port;
  const opened = new Map<number, Promise<Opened>>();
  const streams = new Map<number, EventStream>();
  let lastRunner = 0;
  let lastStream = 0;
  const own: Readonly<Record<string, Method>> = {
    ping: () => Promise.resolve({}),
    step: ({ params, id }) => invocations.step(params, id),
    startRun: ({ params }) => invocations.startRun(params),
    open,
    async close({ params }) {
      const { runner, ...rest } = params;
      checkNames("close", rest, ["timeout"]);
      const number = numberOf(runner);
      const { close } = await find(number);
      await close(rest["timeout"]);
      opened.delete(number);
    },
    "events.open": openStream,
    "events.next": nextOfStream,
    async "events.close"({ params }) {
      const number = streamOf(params);
      streams.get(number)?.close();
      streams.delete(number);
      return await Promise.resolve({});
    },
    async "observe.next"({ params: { runner, ...rest } }) {
      checkNames("observe.next", rest, ["max"]);
      const { observed } = await find(numberOf(runner));
      if (observed === undefined) throw new TypeError("Cannot pull events: the runner was opened without `observe`");
      return await observed.next(readMax(rest["max"]));
    },
  };
  return {
    execute,
    async close(timeout) {
      for (const stream of streams.values()) stream.close();
      // What is being opened is closed when it is open.
      await Promise.allSettled([...opened.values()].map(async (one) => await (await one).close(timeout)));
      opened.clear();
    },
  };

  async function execute(call: Call): Promise<unknown> {
    const { method: name, params } = call;
    if (Object.hasOwn(own, name)) return await own[name]!(call) ?? {};
    if (Object.hasOwn(METHODS, name)) {
      const method = METHODS[name]!;
      const { runner, ...rest } = params;
      checkNames(name, rest, method.allowed);
      const { client } = await find(numberOf(runner));
      return await method.call({ client, params: rest, signal: call.signal }) ?? {};
    }
    const ofTenants = tenantMethod(name);
    if (ofTenants !== undefined) return await ofTenants(params);
    throw new ProtocolError("unknown_method", `There is no method "${name}" in this version of the protocol`);
  }

  async function open({ params }: Call): Promise<unknown> {
    const number = ++lastRunner;
    const opening = openFor(number, params, port);
    opened.set(number, opening);
    try {
      return (await opening).description;
    } catch (error) {
      opened.delete(number);
      throw error;
    }
  }

  async function openStream({ params: { runner, ...rest } }: Call): Promise<unknown> {
    checkNames("events.open", rest, ["runId"]);
    const { client } = await find(numberOf(runner));
    if (typeof rest["runId"] !== "string") throw new TypeError("Cannot open a stream of events: runId must be text");
    const stream = ++lastStream;
    streams.set(stream, createEventStream(client.get(rest["runId"]).events()));
    return { stream };
  }

  async function nextOfStream({ params, signal }: Call): Promise<unknown> {
    checkNames("events.next", params, ["stream", "max"]);
    const number = streamOf(params);
    const stream = streams.get(number)!;
    // What an abandoned request has pulled would be lost.
    signal.addEventListener("abort", stream.close);
    try {
      const events = await stream.next(readMax(params["max"]));
      if (events["done"] === true) streams.delete(number);
      return events;
    } finally {
      signal.removeEventListener("abort", stream.close);
    }
  }

  function streamOf({ stream }: Members): number {
    if (typeof stream === "number" && streams.has(stream)) return stream;
    throw new ProtocolError("unknown_stream", `There is no open stream ${JSON.stringify(stream)}`);
  }

  /** Returns the number of a runner; without one that of the only runner. */
  function numberOf(runner: unknown): number {
    const [only, ...others] = opened.keys();
    if (runner === undefined && only !== undefined && others.length === 0) return only;
    if (typeof runner === "number" && opened.has(runner)) return runner;
    throw new ProtocolError(
      "unknown_runner",
      runner === undefined
        ? `State \`runner\`: ${opened.size === 0 ? "none is" : `${opened.size} are`} open`
        : `There is no open runner ${JSON.stringify(runner)}`,
    );
  }

  async function find(number: number): Promise<Opened> {
    return await opened.get(number)!;
  }
}
