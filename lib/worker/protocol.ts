/**
 * The messages of the worker protocol, which docs/worker-protocol.md describes.
 *
 * @module
 */
import type { ErrorRecord } from "../errors.ts";
import { SluiceError } from "../sluice_error.ts";

/** The versions of the protocol that this engine knows. */
export const VERSIONS: readonly number[] = [1];

/** The longest message, in bytes with its line feed. */
export const MOST_MESSAGE_BYTES = 64 * 1024 * 1024;

/** How many requests of a worker may be unanswered. */
export const MOST_REQUESTS = 100_000;

/** Codes of errors that belong to the protocol and not to the engine. */
export type ProtocolCode =
  | "invalid_argument"
  | "unknown_method"
  | "unknown_runner"
  | "unknown_invocation"
  | "unknown_stream"
  | "too_many_requests"
  | "abandoned"
  | "invalid_function"
  | "unsupported_version"
  | "protocol_error"
  | "worker_gone"
  | "internal";

/** Parameters and results, which are checked where they are read. */
export type Members = Readonly<Record<string, unknown>>;

/** A message, as its line was decoded. */
export type Message =
  | { readonly kind: "request"; readonly id: number; readonly method: string; readonly params: Members }
  | { readonly kind: "notification"; readonly method: string; readonly params: Members }
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: unknown };

/** An error of the protocol. */
export class ProtocolError extends SluiceError {
  /** Names the class. */
  override name = "ProtocolError";
  /** The code of the class. */
  declare readonly code: ProtocolCode;
  /** Creates an error with a code and further data. */
  constructor(code: ProtocolCode, message: string, data: Members = {}) {
    super(code, message);
    Object.assign(this, data);
  }
}

/** An error record as it is sent: every error of the engine has a code. */
export type SentError = ErrorRecord & { readonly code: string };

/**
 * Decodes a line.
 *
 * @throws {ProtocolError} `protocol_error`, if it is not a message.
 */
export function decodeMessage(line: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw notAMessage(line, "it is not JSON");
  }
  if (!isObject(value)) throw notAMessage(line, "it is not an object");
  const { id, method, params = {}, result, error } = value;
  if (id !== undefined && (!Number.isSafeInteger(id) || Number(id) < 1)) {
    throw notAMessage(line, "its id is not a positive integer");
  }
  if (method !== undefined) {
    if (typeof method !== "string") throw notAMessage(line, "its method is not text");
    if (!isObject(params)) throw notAMessage(line, "its params are not an object");
    return id === undefined
      ? { kind: "notification", method, params }
      : { kind: "request", id: Number(id), method, params };
  }
  if (id === undefined) throw notAMessage(line, "it has neither an id nor a method");
  if (error !== undefined) return { kind: "error", id: Number(id), error };
  if (!("result" in value)) throw notAMessage(line, "it has no method, no result and no error");
  return { kind: "result", id: Number(id), result };
}

/** Whether a value is an object and not an array. */
export function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notAMessage(line: string, why: string): ProtocolError {
  const shown = line.length > 80 ? `${line.slice(0, 80)}…` : line;
  return new ProtocolError("protocol_error", `Cannot read a message: ${why}: ${JSON.stringify(shown)}`);
}
