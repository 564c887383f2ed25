import { ValidationError } from "../errors.ts";
import type { JsonReturn } from "./json_types.ts";
import { isThenable } from "./thenable.ts";
import { memberPath } from "./member_path.ts";
import { thrownMessage } from "./thrown_message.ts";

/**
 * Any Standard Schema v1 (https://standardschema.dev), such as one of zod, valibot or arktype. The interface contains
 * the properties that Sluice uses.
 */
export interface Schema<In = unknown, Out = In> {
  /** The schema's properties. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => ValidationResult<Out> | Promise<ValidationResult<Out>>;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** A schema whose output can be stored, otherwise a message. */
export type StorableSchema<In, Out, Label extends string> = [JsonReturn<Out, Label>] extends [Out] ? Schema<In, Out>
  : JsonReturn<Out, Label>;

/** The result of a validation. */
export type ValidationResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly ValidationIssue[] };

/** One thing that is wrong with a value. */
export interface ValidationIssue {
  /** What. */
  readonly message: string;
  /** Where. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * A schema without a run-time check: it states a type for the compiler and returns every value as it is.
 *
 * @example
 * ```ts
 * import { workflow } from "@sluice/sluice";
 *
 * workflow("etl", { input: unchecked<{ url: string }>() }).task("fetch", { run: ({ input }) => input.url.length });
 * ```
 */
export function unchecked<T>(): Schema<T, T> {
  return { "~standard": { version: 1, vendor: "sluice", validate: (value) => ({ value: value as T }) } };
}

/**
 * What `schema` makes of a value, or a promise of it if the schema answers with one; the value itself without a schema.
 *
 * @throws {ValidationError} If the schema refuses it or throws; `action` begins the message.
 */
export function validate(schema: Schema | undefined, value: unknown, action: string): unknown {
  if (schema === undefined) return value;
  const answer = ask(schema, value, action);
  return isThenable(answer) ? valueLater(answer, action) : valueOf(answer, action);
}

/** Whether a value is a Standard Schema. */
export function isSchema(value: unknown): value is Schema {
  // Some libraries' schemas are functions.
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  const standard: unknown = (value as { readonly "~standard"?: unknown })["~standard"];
  return typeof standard === "object" && standard !== null && "version" in standard && standard.version === 1 &&
    "validate" in standard && typeof standard.validate === "function";
}

function ask(schema: Schema, value: unknown, action: string): unknown {
  try {
    return schema["~standard"].validate(value);
  } catch (thrown) {
    refuse(thrown, action);
  }
}

async function valueLater(answer: PromiseLike<unknown>, action: string): Promise<unknown> {
  let settled: unknown;
  try {
    settled = await answer;
  } catch (thrown) {
    refuse(thrown, action);
  }
  return valueOf(settled, action);
}

function valueOf(answer: unknown, action: string): unknown {
  if (typeof answer !== "object" || answer === null) {
    throw new ValidationError(action, ["its schema returned no result"]);
  }
  if (!("value" in answer) && !("issues" in answer)) {
    throw new ValidationError(action, ["its schema returned neither a value nor issues"]);
  }
  const result = answer as ValidationResult<unknown>;
  if (!("issues" in result) || result.issues === undefined) return (result as { readonly value: unknown }).value;
  const issues = result.issues.map(issueText);
  throw new ValidationError(action, issues.length > 0 ? issues : ["its schema rejects it"]);
}

function refuse(thrown: unknown, action: string): never {
  const refusal = new ValidationError(action, [`its schema threw "${thrownMessage(thrown)}"`]);
  refusal.cause = thrown;
  throw refusal;
}

function issueText(issue: ValidationIssue): string {
  const path = (issue.path ?? []).reduce<string>(
    (path, segment) => memberPath(path, typeof segment === "object" ? segment.key : segment),
    "",
  );
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}
