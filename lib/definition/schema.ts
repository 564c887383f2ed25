import { ValidationError } from "../errors.ts";
import { memberPath } from "./member_path.ts";
import { thrownMessage } from "./thrown_message.ts";

/** Any Standard Schema v1 (https://standardschema.dev), such as one of zod, valibot or arktype: the part we need. */
export interface Schema<In = unknown, Out = In> {
  /** The schema's properties. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => ValidationResult<Out> | Promise<ValidationResult<Out>>;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** What a validation answers. */
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
 * A schema that trusts the caller: a type for the compiler, no check at run time.
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
 * What `schema` makes of a value; the value itself without a schema.
 *
 * @throws {ValidationError} If the schema refuses it or throws; `action` begins the message.
 */
export async function validate(schema: Schema | undefined, value: unknown, action: string): Promise<unknown> {
  if (schema === undefined) return value;
  const result = await answerOf(schema, value, action);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(issueText);
  throw new ValidationError(action, issues.length > 0 ? issues : ["its schema refuses it"]);
}

/** Whether a value is a Standard Schema. */
export function isSchema(value: unknown): value is Schema {
  // Some libraries' schemas are functions.
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  const standard: unknown = (value as { readonly "~standard"?: unknown })["~standard"];
  return typeof standard === "object" && standard !== null && "version" in standard && standard.version === 1 &&
    "validate" in standard && typeof standard.validate === "function";
}

async function answerOf(schema: Schema, value: unknown, action: string): Promise<ValidationResult<unknown>> {
  try {
    const result: unknown = await schema["~standard"].validate(value);
    if (typeof result === "object" && result !== null) return result as ValidationResult<unknown>;
  } catch (error) {
    const refusal = new ValidationError(action, [`its schema threw "${thrownMessage(error)}"`]);
    refusal.cause = error;
    throw refusal;
  }
  throw new ValidationError(action, ["its schema answered no result"]);
}

function issueText(issue: ValidationIssue): string {
  const path = (issue.path ?? []).reduce<string>(
    (path, segment) => memberPath(path, typeof segment === "object" ? segment.key : segment),
    "",
  );
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}
