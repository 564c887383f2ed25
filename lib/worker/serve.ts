/**
 * The engine's side of a connection to a worker, from `hello` to its end. docs/worker-protocol.md describes what the worker
 * sees.
 *
 * @module
 */
import { newChecks, shown } from "../definition/checks.ts";
import { refuse } from "../engine/options.ts";
import { createChannel } from "./channel.ts";
import { toSentError } from "./errors.ts";
import { createInvocations } from "./invocations.ts";
import { checkNames } from "./methods.ts";
import { type Members, type Message, MOST_MESSAGE_BYTES, MOST_REQUESTS, ProtocolError, VERSIONS } from "./protocol.ts";
import { createRequests } from "./requests.ts";
import type { Transport } from "./transport.ts";

/** Options of `serveWorker`. */
export interface ServeOptions {
  /** What the result of `hello` says about the engine. @default {{ name: "sluice" }} */
  readonly engine?: Members;
  /**
   * How long to release runs after the worker has left, in milliseconds; other runners recover the rest. @default
   * {3_000}
   */
  readonly longestEndMs?: number;
  /** Aborts when the worker is known to have gone. */
  readonly gone?: AbortSignal;
}

/** How a connection has ended: `failed` by what the worker sent. */
export type ServeEnd = "closed" | "failed";

const CAPABILITIES: readonly string[] = ["steps", "events", "polls", "schemas", "tenants"];

/** A worker that leaves so many `ping` unanswered has gone. */
const MOST_UNANSWERED = 3;
const SHORTEST_HEARTBEAT_MS = 100;

type Request = Extract<Message, { readonly kind: "request" }>;
type Notification = Extract<Message, { readonly kind: "notification" }>;

/**
 * Serves one worker: reads its messages, executes its requests and calls its functions. Resolves when it has left and
 * its runs are released, at most `longestEndMs` after it has left.
 */
export async function serveWorker(
  transport: Transport,
  { engine = { name: "sluice" }, longestEndMs = 3_000, gone }: ServeOptions = {},
): Promise<ServeEnd> {
  const channel = createChannel(transport);
  const invocations = createInvocations(channel);
  const requests = createRequests({ channel, invocations });
  /** Requests that are unanswered. */
  const unanswered = new Map<number, AbortController>();
  const { promise: left, resolve: leave, reject: fail } = Promise.withResolvers<void>();
  let isGreeted = false;
  let stopHeartbeat = (): void => {};
  channel.run({ request, notification }).then(leave, fail);
  gone?.addEventListener("abort", () => leave());
  const failure = await left.then(() => undefined, failureOf);
  stopHeartbeat();
  if (failure !== undefined) channel.notify("fatal", { error: toSentError(failure) });
  invocations.leave();
  await within(longestEndMs, Promise.all([requests.close(0), channel.flush()]));
  channel.end();
  return failure === undefined ? "closed" : "failed";

  function request(message: Request): void {
    const { id, method } = message;
    if (!isGreeted && method !== "hello") {
      throw new ProtocolError("protocol_error", `Cannot call "${method}": the first request must be "hello"`);
    }
    if (unanswered.has(id)) {
      throw new ProtocolError(
        "protocol_error",
        `Cannot call "${method}": request ${id} is unanswered and its id not free`,
      );
    }
    if (unanswered.size >= MOST_REQUESTS) {
      const why = `Cannot call "${method}": ${MOST_REQUESTS} requests are unanswered`;
      return channel.refuse(id, toSentError(new ProtocolError("too_many_requests", why)));
    }
    const abandoned = new AbortController();
    unanswered.set(id, abandoned);
    void answer(message, abandoned.signal);
  }

  async function answer({ id, method, params }: Request, signal: AbortSignal): Promise<void> {
    try {
      const result = await execute({ id, method, params }, signal);
      if (unanswered.delete(id)) channel.respond(id, result);
    } catch (thrown) {
      if (unanswered.delete(id)) channel.refuse(id, toSentError(thrown));
      if (method === "hello") return fail(thrown);
    }
    if (method === "shutdown") leave();
  }

  async function execute(message: Omit<Request, "kind">, signal: AbortSignal): Promise<unknown> {
    const { method, params } = message;
    switch (method) {
      case "hello":
        return greet(params);
      case "shutdown":
        checkNames("shutdown", params, ["timeout"]);
        await requests.close(params["timeout"]);
        return {};
      default:
        return await requests.execute({ ...message, signal });
    }
  }

  function greet(params: Members): Members {
    if (isGreeted) throw new ProtocolError("protocol_error", 'Cannot call "hello" twice');
    const { protocol, heartbeat } = params;
    const wanted: readonly unknown[] = Array.isArray(protocol) ? protocol : [protocol];
    const version = VERSIONS.findLast((known) => wanted.includes(known));
    if (version === undefined) {
      throw new ProtocolError(
        "unsupported_version",
        `Cannot serve this worker: it speaks version ${shown(protocol)} of the protocol, and this engine ` +
          `${VERSIONS.join(", ")}; install versions of the two that belong together`,
        { supported: VERSIONS },
      );
    }
    const checks = newChecks();
    const heartbeatMs = checks.duration(heartbeat, "heartbeat");
    if (heartbeatMs !== undefined && heartbeatMs < SHORTEST_HEARTBEAT_MS) {
      checks.report(`heartbeat must be at least ${SHORTEST_HEARTBEAT_MS} ms`);
    }
    refuse('call "hello"', checks);
    isGreeted = true;
    if (heartbeatMs !== undefined) stopHeartbeat = startHeartbeat(heartbeatMs);
    return {
      protocol: version,
      engine,
      capabilities: CAPABILITIES,
      maxMessageBytes: MOST_MESSAGE_BYTES,
      maxRequests: MOST_REQUESTS,
    };
  }

  function startHeartbeat(ms: number): () => void {
    let missing = 0;
    const timer = setInterval(() => {
      if (missing >= MOST_UNANSWERED) return leave();
      missing++;
      channel.ask("ping", {}).response.then(() => missing = 0, () => missing = 0);
    }, ms);
    return () => clearInterval(timer);
  }

  function notification({ method, params }: Notification): void {
    switch (method) {
      case "progress":
        return invocations.progress(params);
      case "log":
        return invocations.log(params);
      case "abandon":
        return abandon(params["id"]);
      default:
        throw new ProtocolError(
          "protocol_error",
          `There is no notification "${method}" in this version of the protocol`,
        );
    }
  }

  function abandon(id: unknown): void {
    const abandoned = typeof id === "number" ? unanswered.get(id) : undefined;
    // It may have been answered in the meantime.
    if (abandoned === undefined) return;
    unanswered.delete(Number(id));
    channel.refuse(Number(id), toSentError(new ProtocolError("abandoned", `Request ${id} was abandoned`)));
    abandoned.abort();
  }
}

function failureOf(thrown: unknown): unknown {
  return thrown ?? new ProtocolError("internal", "The connection failed");
}

/** Waits for `work`, but not longer than `ms`. */
function within(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    work.then(done, done);
  });
}
