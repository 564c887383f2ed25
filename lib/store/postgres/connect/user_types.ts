/**
 * Array types for the connections of users' transactions. The driver can look them up itself, but does not handle the
 * rejection of its query when the connection ends meanwhile, which ends the process, and its query is executed with the
 * search path of the user. So the query is sent from here, and the driver gets the parsers and serializers.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import type { DriverSql } from "./driver.ts";

type Parse = (text: string) => unknown;
type Serialize = (value: unknown) => unknown;

/** The parts of the driver's options that convert values; the driver does not declare the last one. */
interface Conversions {
  readonly parsers: Record<number, Parse & { array?: boolean }>;
  readonly serializers: Record<number, Serialize>;
  readonly shared: { readonly typeArrayMap: Record<number, number> };
}

// Every name is schema-qualified: the connection has the search path of the user.
const ARRAY_TYPES = `
select e.oid::pg_catalog.text as element, e.typarray::pg_catalog.text as array, e.typdelim as delimiter
  from pg_catalog.pg_type as a
  join pg_catalog.pg_type as e on e.oid operator(pg_catalog.=) a.typelem
 where a.typcategory operator(pg_catalog.=) 'A'::pg_catalog."char"
   and e.typarray operator(pg_catalog.=) a.oid`;

/** Makes the driver convert arrays of every type that the database has. */
export async function learnArrayTypes(connection: Connection): Promise<void> {
  const conversions = conversionsOf(connection.sql);
  for (const row of await connection.query(ARRAY_TYPES, [])) {
    const types = { element: Number(row["element"]), array: Number(row["array"]) };
    addArrayType(conversions, types, String(row["delimiter"]));
  }
}

function conversionsOf({ options }: DriverSql): Conversions {
  return options as Conversions;
}

function addArrayType(
  { parsers, serializers, shared }: Conversions,
  { element, array }: { readonly element: number; readonly array: number },
  delimiter: string,
): void {
  const parse = parsers[element] ?? ((text: string) => text);
  const serialize = serializers[element] ?? String;
  shared.typeArrayMap[element] = array;
  parsers[array] = Object.assign((text: string) => parseArray(text, parse, delimiter), { array: true });
  serializers[array] = (value) => Array.isArray(value) ? formatArray(value, serialize, delimiter) : value;
}

/** Parses an array in text format, of which the driver has removed the first character. */
function parseArray(text: string, parse: Parse, delimiter: string): unknown[] {
  // Bounds precede an array that does not begin at 1, as in "[0:1]={a,b}".
  const bounds = /^-?\d+:-?\d+\].*?=\{/.exec(text);
  let at = bounds === null ? 0 : bounds[0].length;
  return list();

  function list(): unknown[] {
    const values: unknown[] = [];
    while (at < text.length && text[at] !== "}") {
      values.push(value());
      if (text[at] === delimiter) at++;
    }
    at++;
    return values;
  }

  function value(): unknown {
    if (text[at] === "{") {
      at++;
      return list();
    }
    if (text[at] === '"') return parse(quoted());
    const from = at;
    while (at < text.length && text[at] !== delimiter && text[at] !== "}") at++;
    const plain = text.slice(from, at);
    return plain === "NULL" ? null : parse(plain);
  }

  function quoted(): string {
    let content = "";
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length) throw new RangeError("Cannot parse an array of Postgres: a quote is missing");
      if (text[at] === "\\") at++;
      content += text[at];
    }
    at++;
    return content;
  }
}

function formatArray(values: readonly unknown[], serialize: Serialize, delimiter: string): string {
  const items = values.map((value) => {
    if (Array.isArray(value)) return formatArray(value, serialize, delimiter);
    if (value === undefined) throw new TypeError("Cannot send an array to Postgres: undefined is not allowed in it");
    return value === null ? "null" : `"${String(serialize(value)).replace(/["\\]/g, "\\$&")}"`;
  });
  return `{${items.join(delimiter)}}`;
}
