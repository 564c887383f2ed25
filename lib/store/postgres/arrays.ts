/**
 * Arrays in the text format of Postgres. They are formatted here and not by the driver, which would have to fetch the
 * server's types for each connection, and walks each array several times.
 *
 * @module
 */

/** Formats a `bigint[]` or `integer[]`. The server refuses a number that is not an integer. */
export function numbers(values: readonly (number | undefined)[]): string {
  let text = "{";
  for (let i = 0; i < values.length; i++) text += i === 0 ? values[i] ?? "null" : `,${values[i] ?? "null"}`;
  return text + "}";
}

/** Formats a `text[]`. */
export function texts(values: readonly (string | undefined)[]): string {
  let text = "{";
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ",";
    const value = values[i];
    text += value === undefined ? "null" : `"${value.replace(/["\\]/g, "\\$&")}"`;
  }
  return text + "}";
}

/** Formats an array without its trailing missing values: `unnest` pads a shorter array with nulls. */
export function sparse(values: readonly (string | number | undefined)[]): string {
  let length = values.length;
  while (length > 0 && values[length - 1] === undefined) length--;
  const present = length === values.length ? values : values.slice(0, length);
  return texts(present.map((value) => typeof value === "number" ? String(value) : value));
}

/** Parses an array whose items need no quotes: numbers, UUIDs, booleans. */
export function items(text: unknown): string[] {
  const inner = String(text).slice(1, -1);
  return inner === "" ? [] : inner.split(",");
}
