/** The driver that most peers on Postgres use, to look at their tables. */
import { load } from "../adapter.ts";

/** Connections to a database. */
export interface Pool {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  on(event: "error", listener: () => void): void;
  end(): Promise<void>;
}

/** Connects when first asked. */
export async function openPool(connectionString: string, max = 1): Promise<Pool> {
  const { default: pg } = await load<Pg>("pg");
  const pool = new pg.Pool({ connectionString, max });
  // A connection that the server ends while it is idle would end the process.
  pool.on("error", () => {});
  return pool;
}

/** The number in the only row and column of a query. */
export async function countOf(pool: Pool, query: string): Promise<number> {
  const { rows: [row] } = await pool.query(query);
  return Number(Object.values(row!)[0]);
}

interface Pg {
  readonly default: {
    readonly Pool: new (
      options: { readonly connectionString: string; readonly max: number },
    ) => Pool;
  };
}
