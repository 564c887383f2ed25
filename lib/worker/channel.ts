/**
 * Messages over a transport, both ways. What is sent in one turn of the event loop, or while a write is in flight, is
 * written at once.
 *
 * @module
 */
import { createLines } from "./lines.ts";
import { errorOfWorker } from "./errors.ts";
import { decodeMessage, isObject, type Members, type Message, ProtocolError, type SentError } from "./protocol.ts";
import type { Transport } from "./transport.ts";

/** No further message is read while more than this is unwritten, in UTF-16 code units. */
const MOST_UNWRITTEN = 16 * 1024 * 1024;

/** Handlers of a worker's messages. */
export interface Handler {
  /** A request, which `respond` or `refuse` answers once. */
  request(request: Extract<Message, { readonly kind: "request" }>): void;
  /** A notification. */
  notification(notification: Extract<Message, { readonly kind: "notification" }>): void;
}

/** A request to the worker. */
export interface Asked {
  /** The id of the request. */
  readonly id: number;
  /**
   * The result; rejects with the error of the worker. Never settles if the worker has gone: what waits for it ends for
   * another reason.
   */
  readonly response: Promise<Members>;
}

/** A connection to a worker. */
export interface Channel {
  /** How many characters are unwritten. */
  readonly unwritten: number;
  /** Sends a request. */
  ask(method: string, params: Members): Asked;
  /** Sends a notification. */
  notify(method: string, params: Members): void;
  /** Answers a request. */
  respond(id: number, result: unknown): void;
  /** Answers a request with an error. */
  refuse(id: number, error: SentError): void;
  /**
   * Reads messages until the worker closes its side, or `end` is called.
   *
   * @throws {ProtocolError} `protocol_error`, if something is not a message.
   */
  run(handler: Handler): Promise<void>;
  /** Treats the worker as gone: nothing is read or sent any more. */
  end(): void;
  /** Resolves when everything is written, or cannot be. */
  flush(): Promise<void>;
}

/** Creates a channel, which reads nothing until `run` is called. */
export function createChannel(transport: Transport): Channel {
  const encoder = new TextEncoder();
  const waiting = new Map<number, PromiseWithResolvers<Members>>();
  let lines: string[] = [];
  let unwritten = 0;
  let lastId = 0;
  let writing: Promise<void> | undefined;
  /** Resolves with the next write. */
  let written = Promise.withResolvers<void>();
  let isOpen = true;
  return {
    get unwritten() {
      return unwritten;
    },
    ask(method, params) {
      const id = ++lastId;
      const response = Promise.withResolvers<Members>();
      waiting.set(id, response);
      send({ id, method, params });
      return { id, response: response.promise };
    },
    notify: (method, params) => send({ method, params }),
    // JSON has no undefined: a result that is not there is null.
    respond: (id, result) => send({ id, result: result ?? null }),
    refuse: (id, error) => send({ id, error }),
    run,
    end,
    async flush() {
      while (writing !== undefined) await writing;
    },
  };

  async function run(handler: Handler): Promise<void> {
    const splitter = createLines();
    while (isOpen) {
      const bytes = await transport.read();
      if (bytes === undefined) return;
      for (const line of splitter.add(bytes)) receive(decodeMessage(line), handler);
      while (unwritten > MOST_UNWRITTEN && isOpen) await written.promise;
    }
  }

  function receive(message: Message, handler: Handler): void {
    switch (message.kind) {
      case "request":
        return handler.request(message);
      case "notification":
        return handler.notification(message);
      case "result":
      case "error":
        return settle(message);
    }
  }

  function settle(message: Extract<Message, { readonly kind: "result" | "error" }>): void {
    const response = waiting.get(message.id);
    if (response === undefined) {
      throw new ProtocolError("protocol_error", `Cannot read a response: no request ${message.id} is unanswered`);
    }
    waiting.delete(message.id);
    if (message.kind === "error") return response.reject(errorOfWorker(message.error));
    if (isObject(message.result)) return response.resolve(message.result);
    response.reject(
      new ProtocolError(
        "invalid_function",
        `The result of request ${message.id} is not an object such as {"output": 1}`,
      ),
    );
  }

  function end(): void {
    if (!isOpen) return;
    isOpen = false;
    lines = [];
    unwritten = 0;
    written.resolve();
    transport.close();
  }

  function send(message: Members): void {
    if (!isOpen) return;
    const line = `${JSON.stringify(message)}\n`;
    lines.push(line);
    unwritten += line.length;
    writing ??= write();
  }

  async function write(): Promise<void> {
    // Until the end of this turn, so that what follows is written with it.
    await Promise.resolve();
    try {
      while (lines.length > 0) {
        const text = lines.join("");
        lines = [];
        await transport.write(encoder.encode(text));
        unwritten -= text.length;
        written.resolve();
        written = Promise.withResolvers();
      }
    } catch {
      // The worker reads no more. The end of what it sends says so as well, but it may come late.
      end();
    } finally {
      writing = undefined;
    }
  }
}
