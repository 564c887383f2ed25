/**
 * What a table of columns says about each column of `runs`, and the parts of statements that follow from it on both
 * databases: the definition in the schema, and the list of an insert.
 *
 * @module
 */
import type { NewRun } from "../port/batch.ts";
import type { Decode } from "./decode.ts";

/** The type of a column. `name` is a text that is compared as bytes; `oneOf` a text of a known set. */
export type ColumnType =
  | "key"
  | "bigint"
  | "integer"
  | "uuid"
  | "name"
  | "text"
  | { readonly oneOf: readonly string[] };

/** A value that a start gives. */
export type Given = string | number | undefined;

/** Rows that contain a column: the rows of lists, of a single run, of claims, or of overviews of many runs. */
export type Projection = "listed" | "single" | "claimed" | "outline";

/**
 * The value of a column in a new run. In its SQL `:now` is the store's clock, `:owner` the runner that owns the run,
 * `:this` the given value, and `:name` the given value of another column.
 */
export interface StartValue {
  /** Returns the given value. @default {} none is given */
  readonly given?: (run: NewRun) => Given;
  /** The given value of a run without options, which needs not be bound. @default {} every insert binds the value */
  readonly plain?: { readonly value: Given };
  /** SQL for a run that its runner owns; `undefined` for null. */
  readonly owned: string | undefined;
  /** SQL for a run without an owner; `undefined` for null. */
  readonly pending: string | undefined;
}

/** A column of `runs`. */
export interface RunColumn {
  /** The type in the schema. */
  readonly type: ColumnType;
  /** The constraints in the schema. @default {} nullable */
  readonly constraint?: string;
  /** An expression of other columns from which the database computes the column. @default {} it is written */
  readonly computed?: string;
  /** A condition of other columns that holds if the computed column is not null. @default {} there is none */
  readonly present?: string;
  /** The value in a new run. @default {} the default value of the schema */
  readonly start?: StartValue;
  /** The field that it is decoded to. @default {} it is not decoded, or by another column */
  readonly field?: string;
  /** Decodes the field. */
  readonly decode?: Decode<unknown>;
  /** The rows that contain it. @default {} none */
  readonly read?: readonly Projection[];
  /** Further rows that contain it, for fields that are decoded from other columns. @default {} none */
  readonly beside?: readonly Projection[];
}

/** A value that every start gives. */
export function given(value: (run: NewRun) => Given): StartValue {
  return { given: value, owned: ":this", pending: ":this" };
}

/** A value that few starts give; `plain` is the value of the others. */
export function option(value: (run: NewRun) => Given, plain?: Given): StartValue {
  return { ...given(value), plain: { value: plain } };
}

/** The columns of the table, by name. */
export type RunColumns = ReadonlyMap<string, RunColumn>;

/** A column that starts give a value, and how to compute it. */
export interface GivenColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly given: (run: NewRun) => Given;
  readonly plain: { readonly value: Given } | undefined;
}

/** Returns the columns that starts give a value. */
export function givenColumns(columns: RunColumns): readonly GivenColumn[] {
  return [...columns].flatMap(([name, { type, start }]) =>
    start?.given === undefined ? [] : [{ name, type, given: start.given, plain: start.plain }]
  );
}

/** Returns a function that returns whether a run has no options. */
export function createIsPlain(columns: RunColumns): (run: NewRun) => boolean {
  const options = givenColumns(columns);
  return (run) => {
    for (const { given, plain } of options) if (plain !== undefined && given(run) !== plain.value) return false;
    return true;
  };
}

/** The SQL that stands for the placeholders of a `StartValue`. */
export interface StartTerms {
  /** The store's clock. */
  readonly now: string;
  /** The runner that owns the run. */
  readonly owner: string;
  /** The given value of a column. */
  readonly given: (column: GivenColumn) => string;
}

/** Returns the SQL of the columns of a new run that are not null, in the order of the table. */
export function startValues(
  columns: RunColumns,
  life: "owned" | "pending",
  { now, owner, given }: StartTerms,
): Map<string, string> {
  const byName = new Map(givenColumns(columns).map((column) => [column.name, column]));
  const values = new Map<string, string>();
  for (const [column, { start }] of columns) {
    const text = start?.[life]?.replace(/:(\w+)/g, (_, word) => {
      if (word === "now") return now;
      return word === "owner" ? owner : given(byName.get(word === "this" ? column : word)!);
    });
    if (text !== undefined && text !== "null") values.set(column, text);
  }
  return values;
}

/** How a database writes the types of the schema. */
export type SchemaTypes = Readonly<Record<Exclude<ColumnType, object>, string>>;

/** Returns the definitions of the columns, for `create table`. */
export function columnDefinitions(columns: RunColumns, types: SchemaTypes): string {
  return [...columns].map(([name, { type, constraint, computed }]) => {
    if (computed !== undefined && typeof type === "string") {
      return `${name} ${types[type]} generated always as (${computed}) stored`;
    }
    if (typeof type === "string") return [name, types[type], constraint].filter((part) => part !== undefined).join(" ");
    // A chain of "or" instead of a list: SQLite builds a temporary index for a list of three or more values on each
    // execution, which made a commit take 1.5 times as long.
    const check = type.oneOf.map((value) => `${name} = '${value}'`).join(" or ");
    return [name, types.name, constraint, `check (${check})`].filter((part) => part !== undefined).join(" ");
  }).join(",\n     ");
}
