/**
 * Arrays as Postgres reads and writes them in text. They are made here and not by the driver, which would have to ask
 * the server for its types at each connection, and takes each array apart several times.
 *
 * @module
 */

/** A `bigint[]` or `integer[]` of numbers. What is no whole number the server refuses. */
export function numbers(values: readonly (number | undefined)[]): string {
  let text = "{";
  for (let i = 0; i < values.length; i++) text += i === 0 ? values[i] ?? "null" : `,${values[i] ?? "null"}`;
  return text + "}";
}

/** A `text[]`. */
export function texts(values: readonly (string | undefined)[]): string {
  let text = "{";
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ",";
    const value = values[i];
    text += value === undefined ? "null" : `"${value.replace(/["\\]/g, "\\$&")}"`;
  }
  return text + "}";
}

/** The same as `texts()` without what nobody gave at the end: `unnest` fills a shorter array up with nulls. */
export function sparse(values: readonly (string | undefined)[]): string {
  let length = values.length;
  while (length > 0 && values[length - 1] === undefined) length--;
  return texts(length === values.length ? values : values.slice(0, length));
}

/** Reads an array whose items need no quotes: numbers, UUIDs, booleans. */
export function items(text: unknown): string[] {
  const inner = String(text).slice(1, -1);
  return inner === "" ? [] : inner.split(",");
}
