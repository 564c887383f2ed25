/**
 * Errors on their way to and from a worker.
 *
 * @module
 */
import { fromErrorRecord, toErrorRecord, withoutStacks } from "../engine/errors/error_record.ts";
import { DefinitionError, type ErrorRecord } from "../errors.ts";
import type { JsonValue } from "../json_value.ts";
import { isSluiceError } from "../sluice_error.ts";
import { isObject, type SentError } from "./protocol.ts";

const DEEPEST_CAUSE = 5;

/** Errors that a worker has said are not worth another attempt. */
const FINAL = Symbol("final");

/** Returns an error of the engine as it is sent: with a code, and with a stack only if its reason is unknown. */
export function toSentError(thrown: unknown): SentError {
  const record = toErrorRecord(thrown);
  if (isSluiceError(thrown)) {
    const { problems } = thrown instanceof DefinitionError ? thrown : {};
    return withoutStacks({
      ...record,
      // All of them, however long the list is.
      ...(problems !== undefined && { fields: { ...record.fields, problems: [...problems] } }),
    }) as SentError;
  }
  if (thrown instanceof TypeError || thrown instanceof RangeError) {
    return { ...withoutStacks(record), code: "invalid_argument" };
  }
  return { ...record, code: "internal" };
}

/** Returns the error of an error record that a worker has sent, of whatever form. */
export function errorOfWorker(value: unknown): Error {
  const error = fromErrorRecord(readRecord(value, 1));
  if (isObject(value) && value["retry"] === false) Object.defineProperty(error, FINAL, { value: true });
  return error;
}

/** Whether a worker leaves it to the policy of the task if the attempt that threw this is repeated. */
export function isRetried(thrown: unknown): boolean {
  return !(typeof thrown === "object" && thrown !== null && FINAL in thrown);
}

function readRecord(value: unknown, depth: number): ErrorRecord {
  const { name, message, code, isSluice, stack, fields, cause, errors } = isObject(value) ? value : {};
  const isDeepest = depth >= DEEPEST_CAUSE;
  return {
    name: typeof name === "string" && name !== "" ? name : "Error",
    message: typeof message === "string" ? message : "the worker gave no message",
    ...(typeof code === "string" && { code }),
    ...(isSluice === true && { isSluice }),
    ...(typeof stack === "string" && { stack }),
    ...(isObject(fields) && { fields: fields as Readonly<Record<string, JsonValue>> }),
    ...(isObject(cause) && !isDeepest && { cause: readRecord(cause, depth + 1) }),
    ...(Array.isArray(errors) && !isDeepest && { errors: errors.map((error) => readRecord(error, depth + 1)) }),
  };
}
