/** The driver that most peers on Postgres use, for queries of their tables. */
import { load } from "../adapter.ts";

/** Connections to a database. */
export interface Pool {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  on(event: "error", listener: () => void): void;
  on(event: "connect", listener: (connection: { on(event: "error", listener: () => void): void }) => void): void;
  end(): Promise<void>;
}

/** Connects at the first query. */
export async function openPool(connectionString: string, max = 1): Promise<Pool> {
  const { default: pg } = await load<Pg>("pg");
  const pool = new pg.Pool({ connectionString, max });
  // A connection that the server ends would otherwise end the process.
  pool.on("error", () => {});
  pool.on("connect", (connection) => connection.on("error", () => {}));
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
