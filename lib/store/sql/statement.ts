/**
 * Statements that are written once for SQLite and Postgres. `sql` is a tagged template: an interpolated value becomes a
 * parameter, an interpolated `Sql` becomes part of the text. Tables are written as `@runs`. `indexed by` names the index
 * for SQLite and is left out for Postgres. The text depends on the shape of a statement and never on its values, so that
 * both databases prepare it once.
 *
 * @module
 */

/** A value that a statement binds. `undefined` is null; an array is one parameter (see `Dialect.isIn`). */
export type Value = string | number | boolean | null | undefined | readonly string[] | readonly number[];

/** A statement, or a part of one. */
export interface Sql {
  /** The text around the parts; one more than there are parts. */
  readonly texts: readonly string[];
  /** Values to bind and nested SQL, in the order of the text. */
  readonly parts: readonly (Sql | Value)[];
}

/** A statement as a driver executes it. */
export interface Rendered {
  /** The text with parameters `$1`, `$2`, … */
  readonly text: string;
  /** The values of the parameters. */
  readonly values: readonly Value[];
}

/** Makes a statement, or a part of one. */
export function sql(texts: TemplateStringsArray, ...parts: readonly (Sql | Value)[]): Sql {
  return { texts, parts };
}

/** SQL from constant text, such as a list of columns. Never pass a value here. */
export function raw(text: string): Sql {
  return { texts: [text], parts: [] };
}

/** SQL from constant text in which each `:name` stands for a part. */
export function fill(text: string, parts: Readonly<Record<string, Sql>>): Sql {
  const pieces = text.split(/:(\w+)/);
  return {
    texts: pieces.filter((_, at) => at % 2 === 0),
    parts: pieces.filter((_, at) => at % 2 === 1).map((name) => parts[name]),
  };
}

/** Joins conditions by `and`; `true` if there are none. */
export function and(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? raw("true") : join(conditions, "\n   and ");
}

/** Joins parts by a separator. */
export function join(parts: readonly Sql[], separator: string): Sql {
  return { texts: ["", ...parts.slice(1).map(() => separator), ""], parts };
}

/** Numbers the parameters of a statement. */
export function render(statement: Sql): Rendered {
  let text = "";
  const values: Value[] = [];
  add(statement);
  return { text, values };

  function add({ texts, parts }: Sql): void {
    for (const [i, part] of parts.entries()) {
      text += texts[i];
      if (isSql(part)) add(part);
      else text += `$${values.push(part)}`;
    }
    text += texts.at(-1);
  }
}

function isSql(part: Sql | Value): part is Sql {
  return typeof part === "object" && part !== null && "texts" in part;
}
