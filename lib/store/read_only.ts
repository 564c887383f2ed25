import { StoreError } from "../errors.ts";
import type { Store } from "./port.ts";

/** The same store, which refuses whatever would write before the database has to. */
export function readOnly(store: Store): Store {
  // deno-lint-ignore require-await -- a promise that is rejected, as the port's methods throw
  const refuse = async (): Promise<never> => {
    throw new StoreError("read_only", `Cannot write to ${store.name}: the store was opened to be read only`);
  };
  return {
    ...store,
    commit: refuse,
    claim: refuse,
    transactions: undefined,
    transact: refuse,
    insertWithin: refuse,
    join: refuse,
    renew: refuse,
    leave: refuse,
    recover: refuse,
    define: refuse,
    unstrand: refuse,
    control: refuse,
    restart: refuse,
    prune: refuse,
  };
}

/**
 * Checks that a schema has the version that this code reads, as one that is only read is not brought up to date.
 *
 * @throws {StoreError} `no_schema` or `older_schema`, if it has not.
 */
export function checkVersion(found: number, wanted: number, database: string): void {
  if (found === 0) {
    throw new StoreError("no_schema", `Cannot read ${database}: it has no tables of Sluice`);
  }
  if (found < wanted) {
    throw new StoreError(
      "older_schema",
      `Cannot read ${database}: its schema has version ${found}, and this version of Sluice reads version ${wanted}; ` +
        "start a runner of this version, which brings it up to date",
    );
  }
}
