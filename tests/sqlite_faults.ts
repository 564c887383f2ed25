/** Makes statements of the SQLite driver of the runtime fail with result codes of SQLite. */

/** The faults of one database. */
export interface StatementFaults {
  /** Makes the `count`-th statement from now on fail, counted from 1, instead of being executed. */
  at(count: number): void;
  /** Stops injecting failures; returns how many more statements would have been executed before the failing one. */
  pass(): number;
  /** Restores the driver. */
  end(): void;
}

interface Statement {
  run(...values: unknown[]): unknown;
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown;
}

interface Database {
  readonly filename?: string;
  location?(): string | null;
  prepare(sql: string): Statement;
}

interface Plan {
  readonly code: number;
  /** Statements until the one that fails. */
  left: number;
}

const isBun = "Bun" in globalThis;
const { prototype }: { readonly prototype: Database } = isBun
  ? (await import("bun:sqlite")).Database as never
  : (await import("node:sqlite")).DatabaseSync as never;

const original = prototype.prepare;
const plans = new Map<string, Plan>();

/** Prepares faults with a result code for the database at an absolute path, on all connections of this process. */
export function failStatements(path: string, code: number): StatementFaults {
  if (plans.size === 0) prototype.prepare = prepare;
  const plan: Plan = { code, left: 0 };
  plans.set(path, plan);
  return {
    at: (count) => void (plan.left = count),
    pass() {
      const { left } = plan;
      plan.left = 0;
      return left;
    },
    end() {
      plans.delete(path);
      if (plans.size === 0) prototype.prepare = original;
    },
  };
}

function prepare(this: Database, sql: string): Statement {
  const statement = original.call(this, sql);
  const plan = plans.get(this.filename ?? this.location?.() ?? "");
  if (plan === undefined) return statement;
  for (const name of ["run", "get", "all"] as const) {
    const execute = statement[name];
    statement[name] = (...values) => {
      if (plan.left > 0 && --plan.left === 0) throw faultOf(plan.code);
      return execute.apply(statement, values);
    };
  }
  return statement;
}

/** Creates an error with the properties in which the drivers of Deno and Bun report the code. */
function faultOf(code: number): Error {
  const members = isBun
    ? { name: "SQLiteError", code: `SQLITE_INJECTED`, errno: code }
    : { code: "ERR_SQLITE_ERROR", errcode: code, errstr: "injected" };
  return Object.assign(new Error(`injected code ${code}`), members);
}
