/** As much of JSON Schema as the inspector's document uses. */

/** A document of OpenAPI, as far as it is looked at. */
export interface Document {
  /** Its version. */
  readonly openapi: string;
  /** What it is of. */
  readonly info: { readonly title: string };
  /** Where the API is. */
  readonly servers: readonly unknown[];
  /** By path. */
  readonly paths: Readonly<
    Record<string, {
      readonly get: {
        readonly responses: Readonly<
          Record<string, { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> }>
        >;
      };
    }>
  >;
  /** What it refers to. */
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
}

const KEYWORDS = ["$ref", "type", "enum", "minimum", "maximum", "items", "properties", "required", "description"];

/** What is wrong with a value; empty if nothing is. Throws where a schema says what is not understood here. */
export function complaints(document: Document, schema: unknown, value: unknown, at = "$"): readonly string[] {
  const wanted = schema as Schema;
  const unknown = Object.keys(wanted).filter((key) => ![...KEYWORDS, "additionalProperties"].includes(key));
  if (unknown.length > 0) throw new Error(`${at}: no test knows ${unknown.join(", ")}`);
  if (wanted.$ref !== undefined) {
    const name = wanted.$ref.replace("#/components/schemas/", "");
    return complaints(document, document.components.schemas[name], value, at);
  }
  if (wanted.type !== undefined && !isOfType(wanted.type, value)) return [`${at} is no ${wanted.type}`];
  const found: string[] = [];
  if (wanted.enum !== undefined && !wanted.enum.includes(value)) found.push(`${at} is ${JSON.stringify(value)}`);
  if (typeof value === "number" && (value < (wanted.minimum ?? -Infinity) || value > (wanted.maximum ?? Infinity))) {
    found.push(`${at} is ${value}`);
  }
  if (Array.isArray(value) && wanted.items !== undefined) {
    value.forEach((item, i) => found.push(...complaints(document, wanted.items, item, `${at}[${i}]`)));
  }
  if (wanted.type === "object") found.push(...memberComplaints(document, wanted, value as object, at));
  return found;
}

function memberComplaints(document: Document, wanted: Schema, value: object, at: string): readonly string[] {
  const { properties = {}, required = [], additionalProperties = true } = wanted;
  return [
    ...required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, member]) => {
      if (Object.hasOwn(properties, name)) return complaints(document, properties[name], member, `${at}.${name}`);
      return additionalProperties ? [] : [`${at}.${name} is not known`];
    }),
  ];
}

function isOfType(type: string, value: unknown): boolean {
  const kind: string = typeof value;
  switch (type) {
    case "integer":
      return Number.isSafeInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    default:
      return kind === type;
  }
}
