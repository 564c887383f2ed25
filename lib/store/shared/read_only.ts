import { StoreError } from "../../errors.ts";
import type { Store } from "../port/store.ts";

/** Wraps a store so that it refuses every write without a call to the database. */
export function readOnly(store: Store): Store {
  // deno-lint-ignore require-await -- returns a rejected promise, like the methods of the port
  const refuse = async (): Promise<never> => {
    throw new StoreError("read_only", `Cannot write to ${store.name}: the store was opened read-only`);
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
    controlMany: refuse,
    compensateChild: refuse,
    tagMany: refuse,
    send: refuse,
    closeMailbox: refuse,
    controlChildren: refuse,
    restart: refuse,
    restartMany: refuse,
    deleteRun: refuse,
    deleteMany: refuse,
    prune: refuse,
    schedules: { ...store.schedules, write: refuse, insert: refuse },
    limits: { ...store.limits, deploy: refuse, exchange: refuse },
  };
}

/**
 * Checks that a schema has the version that this code reads: a read-only store does not migrate the schema.
 *
 * @throws {StoreError} `no_schema` if the schema is missing, `older_schema` if its version is older.
 */
export function checkVersion(found: number, wanted: number, database: string): void {
  if (found === 0) {
    throw new StoreError("no_schema", `Cannot read ${database}: it has no tables of Sluice`);
  }
  if (found < wanted) {
    throw new StoreError(
      "older_schema",
      `Cannot read ${database}: its schema has version ${found}, and this version of Sluice reads version ${wanted}; ` +
        "start a runner of this version, which migrates the schema",
    );
  }
}
