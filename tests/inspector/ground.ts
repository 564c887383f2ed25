/** What the tests of the inspector stand on: a store of either kind, with runs of every sort in it. */
import { join } from "node:path";
import { createRunner, type Runner, type RunnerOptions, type Store, unchecked, workflow } from "../../mod.ts";
import { createInspector, type InspectorOptions } from "../../lib/inspector/mod.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { testSchema } from "../store/postgres_schema.ts";
import { tempDir } from "../temp_dir.ts";

/** Kinds of stores. */
export const KINDS = ["sqlite", "postgres"] as const;

/** An empty database, which is gone at the end of the scope. */
export interface Ground extends AsyncDisposable {
  /** Its URL. */
  readonly url: string;
  /** The tenant, on Postgres. */
  readonly schema: string | undefined;
  /** Opens a store on it, which is closed along with it. */
  open(options?: { readonly readOnly?: boolean; readonly url?: string }): Promise<Store>;
  /** Runs SQL past every store; on Postgres tables are found without naming the schema. */
  run(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** Makes a database. */
export function ground(kind: typeof KINDS[number]): Ground {
  return kind === "sqlite" ? inFile() : inSchema();
}

/** SQL of a kind of store: the rows `n` from 1 to `count`, and the id of a run for each. */
export function numbered(
  kind: typeof KINDS[number],
  count: number,
): { readonly numbers: string; readonly id: string } {
  if (kind === "postgres") {
    return {
      numbers: `generate_series(1, ${count}) as n`,
      id: "('0190a000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
    };
  }
  const rows = `with recursive n (n) as (select 1 union all select n + 1 from n where n < ${count}) select n from n`;
  return { numbers: `(${rows}) as numbers`, id: "printf('0190a000-0000-7000-8000-%012x', n)" };
}

function inFile(): Ground {
  const dir = tempDir();
  const path = join(dir.path, "app.db");
  const stores: Store[] = [];
  return {
    url: `sqlite://${path}`,
    schema: undefined,
    async open(options = {}) {
      const store = await openSqliteStore(path, { durability: "process", ...options });
      stores.push(store);
      return store;
    },
    async run(sql) {
      const { DatabaseSync } = await import("node:sqlite");
      const database = new DatabaseSync(path, { timeout: 5_000 });
      const rows = database.prepare(sql).all();
      database.close();
      return rows;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      dir[Symbol.dispose]();
    },
  };
}

function inSchema(): Ground {
  const on = testSchema();
  return {
    url: on.url,
    schema: on.schema,
    open: (options = {}) => on.open(options),
    run: async (sql) => [...await on.sql.unsafe(sql)],
    [Symbol.asyncDispose]: () => on[Symbol.asyncDispose](),
  };
}

/** A workflow with a retry, a step, progress, a large output, a failure, and what follows from that. */
export const etl = workflow("etl", { description: "Loads prices", input: unchecked<{ token: string }>() })
  .task("extract", {
    retry: { attempts: 2, delay: 1, jitter: false },
    run({ ctx }) {
      if (ctx.attempt === 1) throw new Error("connection reset", { cause: new TypeError("socket hang up") });
      return { rows: [1, 2, 3], secret: "hunter2" };
    },
  })
  .task("big", {
    after: ["extract"],
    async run({ ctx }) {
      ctx.progress(1, 2, "half");
      await ctx.step("price list", () => ({ price: 7, secret: "hunter2" }));
      return "ä".repeat(100_000);
    },
  })
  .task("load", { after: ["big"], retry: 1, run: ({ input }) => Promise.reject(new RangeError(`no ${input.token}`)) })
  .task("tell", { after: ["load"], run: () => "never" });

/** A workflow whose runs complete. */
export const greet = workflow("greet").task("hello", { run: () => "hello" }).returns("hello");

/** The workflows of a runner here. */
export type Known = typeof etl | typeof greet;

/** Opens a runner on a store. */
export function runnerOn(store: Store, options: Partial<RunnerOptions<Known>> = {}): Promise<Runner<Known>> {
  return createRunner(store, { workflows: [etl, greet], ...options });
}

/** A runner, whatever its workflows are. */
export type AnyRunner = Pick<Runner<never>, "explain" | "stats">;

/** Sends requests to an inspector that authorizes every client; a path is a GET request. */
export function ask(target: AnyRunner | Store, options: InspectorOptions = {}): Ask {
  const { fetch } = createInspector(target, { authorize: () => true, ...options });
  return (path, init = {}) => fetch(new Request(`http://localhost${path}`, init));
}

/** Asks for a path. */
export type Ask = (path: string, init?: RequestInit) => Promise<Response>;
