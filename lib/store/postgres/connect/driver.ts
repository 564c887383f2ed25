/**
 * Loads the driver, an optional package. Its own types are not used here: a program that uses only SQLite compiles
 * without them.
 *
 * @module
 */
import { StoreError } from "../../../errors.ts";
import { installHint } from "../../../optional_package.ts";
import type { Row } from "../../shared/decode.ts";

/** The rows that a statement returned, and the number of rows that it wrote or returned. */
export type Answer = readonly Row[] & { readonly count?: number | null };

/** The part of the driver that Sluice uses: its pool, which is also a function that creates queries. */
export interface DriverSql {
  (first: TemplateStringsArray | string, ...values: readonly unknown[]): unknown;
  /** Creates a query from text; it is sent when it is awaited. */
  unsafe(text: string, values: (string | null)[], options: { readonly prepare: boolean }): PromiseLike<Answer>;
  /** Ends the connections, after `timeout` seconds also those with queries in flight. */
  end(options: { readonly timeout: number }): Promise<unknown>;
  /** Its options, with the conversions of types. */
  readonly options: unknown;
}

/** Creates a pool without opening a connection. */
export type CreateDriver = (options: Readonly<Record<string, unknown>>) => DriverSql;

/** Creates a pool of the driver. Importing this module throws a `StoreError` if the package is not installed. */
export const createDriver: CreateDriver = await load();

async function load(): Promise<CreateDriver> {
  try {
    // @ts-ignore: without the package there are no types for it, and nothing here depends on them
    const { default: postgres } = await import("postgres");
    return (options) => postgres(options);
  } catch (error) {
    const hint = installHint("postgres", error);
    throw hint === undefined
      ? error
      : new StoreError("driver_missing", `Cannot use Postgres: ${hint}`, { cause: error });
  }
}
