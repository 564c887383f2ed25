import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { StoreCounters } from "../port.ts";
import type { Row } from "../rows.ts";
import { createServerClock } from "./clock.ts";
import type { Answer, Bindable, BoundStatement, Query } from "./connection.ts";
import type { Line } from "./line.ts";
import { createPersistence, type Persistence } from "./persistence.ts";

/** What a connection is for: none of these may have to wait for another. */
export type Role =
  /** Results and starts. */
  | "flush"
  /** Claims that come alone: their work goes on beside that of results. */
  | "claim"
  /** Starts with a key: they may have to wait for a transaction of somebody else's that has started a run with it. */
  | "keys"
  /** Signs of life, and who gives none. */
  | "heartbeat"
  /** Whatever only looks. */
  | "read"
  /** What takes several statements, and is rare: orders, recovery, migration. */
  | "care";

/** Runs one statement in which tables are written as `@runs`, and the time as `@now`, which needs `null` for `$1`. */
export type Run = (sql: string, values?: readonly Bindable[]) => Promise<readonly Row[]>;

/** A transaction that is under way. */
export interface Transaction {
  /** Runs a statement in it. */
  readonly run: Run;
  /** Counts rows that were written. */
  wrote(rows: number): void;
}

/** What a store says to the server, with everything counted. */
export interface Session {
  /** Says which database and schema, for messages. */
  readonly name: string;
  /** The tenant's schema. */
  readonly schema: string;
  /** For what is mended without anybody's doing. */
  readonly logger: Logger;
  /** Tries again what failed by itself. */
  readonly persistence: Persistence;
  /** What to bind for `$1` where a statement says `@now`. */
  readonly at: Bindable;
  /** The store's clock. */
  now(): number;
  /** One statement that reads. */
  read(sql: string, values?: readonly Bindable[], role?: Role): Promise<readonly Row[]>;
  /** One statement that writes; `rows` says how many from what it answers. */
  write(
    role: Role,
    sql: string,
    values: readonly Bindable[],
    rows: (answer: readonly Row[]) => number,
  ): Promise<readonly Row[]>;
  /** One transaction of several statements; all of `work` is run again after what passes by itself. */
  transact<T>(role: Role, work: (transaction: Transaction, isDoubtful: boolean) => Promise<T>): Promise<T>;
  /** The same without trying again. */
  once<T>(role: Role, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Statements in one transaction that is sent whole, without trying again. */
  pipeline(role: Role, statements: readonly BoundStatement[]): Promise<readonly Answer[]>;
  /** One statement in a transaction of its own, without trying again; see `Query` for `deadlineMs`. */
  single(role: Role, ...statement: Parameters<Query>): Promise<Answer>;
  /** Counts a transaction that wrote rows. */
  wrote(rows: number): void;
  /** A statement with its schema named. */
  textOf(sql: string): string;
  /** Ends a connection on the server, whatever it does there. */
  endConnection(applicationName: string): Promise<void>;
  /** Ends what a lost connection of this role may still be doing on the server. */
  endRemains(role: Role): Promise<void>;
  /** What was done so far. */
  counters(): StoreCounters;
  /** Ends all waiting. */
  close(): void;
}

/** How to make a session. */
export interface SessionOptions {
  /** Says which database and schema, without any password, for messages. */
  readonly name: string;
  /** The tenant's schema, checked. */
  readonly schema: string;
  /** The connections, which stay their owner's to close. */
  readonly lines: Readonly<Record<Role, Line>>;
  /** Instead of the server's clock, for tests. */
  readonly clock: Clock | undefined;
  /** Where messages go. */
  readonly logger: Logger;
}

// Of the server, once for each statement.
const NOW = "coalesce($1::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)";

const TERMINATE = `
select pg_terminate_backend(pid, 5000)
  from pg_stat_activity
 where application_name = $1 and pid <> pg_backend_pid() and usename = session_user`;

/** Opens no connection yet. */
export function createSession(options: SessionOptions): Session {
  const { name, schema, lines, clock, logger } = options;
  const persistence = createPersistence(name, logger, clock);
  const serverClock = createServerClock();
  const texts = new Map<string, string>();
  let commits = 0;
  let statements = 0;
  let rows = 0;
  return {
    name,
    schema,
    logger,
    persistence,
    get at() {
      return clock === undefined ? null : String(clock.now());
    },
    now: () => clock === undefined ? serverClock.now() : clock.now(),
    read: (sql, values = [], role = "read") => persistence.attempt("read", () => single(role, sql, values)),
    write(role, sql, values, count) {
      return persistence.attempt("write to", async () => {
        const answer = await single(role, sql, values);
        wrote(count(answer));
        return answer;
      });
    },
    transact: (role, work) =>
      persistence.attempt("write to", async (isDoubtful) => {
        if (isDoubtful) await endRemains(role);
        return await transaction(lines[role].transact, (one) => work(one, isDoubtful));
      }),
    once: (role, work) => transaction(lines[role].transact, work),
    pipeline,
    single,
    wrote,
    textOf,
    endRemains,
    endConnection: (applicationName) => terminate("care", applicationName),
    counters: () => ({ commits, statements, rows, retries: persistence.retries() }),
    close: persistence.close,
  };

  async function single(role: Role, ...statement: Parameters<Query>): Promise<Answer> {
    return await execute(lines[role].query, ...statement);
  }

  async function pipeline(role: Role, sent: readonly BoundStatement[]): Promise<readonly Answer[]> {
    statements += sent.length;
    const at = performance.now();
    const answers = await lines[role].pipeline(sent.map(({ sql, values }) => ({ sql: textOf(sql), values })));
    for (const answer of answers) learn(answer, at);
    return answers;
  }

  async function transaction<T>(begin: Line["transact"], work: (transaction: Transaction) => Promise<T>): Promise<T> {
    let written = 0;
    const result = await begin((query) =>
      work({
        run: (sql, values = []) => execute(query, sql, values),
        wrote: (count) => void (written += count),
      })
    );
    wrote(written);
    return result;
  }

  async function execute(query: Query, ...[sql, ...rest]: Parameters<Query>): Promise<Answer> {
    statements++;
    const sent = performance.now();
    const answer = await query(textOf(sql), ...rest);
    learn(answer, sent);
    return answer;
  }

  function learn(answer: readonly Row[], sent: number): void {
    const said = answer[0]?.["server_now"];
    if (clock === undefined && said !== undefined) serverClock.learn(Number(said), sent);
  }

  function wrote(count: number): void {
    if (count > 0) commits++;
    rows += count;
  }

  async function endRemains(role: Role): Promise<void> {
    await terminate(role, lines[role].applicationName);
  }

  async function terminate(role: Role, applicationName: string): Promise<void> {
    await lines[role].pipeline([
      // A role that the login takes on when it connects may not end what belongs to the login.
      { sql: "set local role none", values: [] },
      { sql: TERMINATE, values: [applicationName] },
    ]);
  }

  function textOf(sql: string): string {
    let text = texts.get(sql);
    if (text === undefined) texts.set(sql, text = statementIn(schema, sql));
    return text;
  }
}

/** Names the schema in every statement: nothing is ever found by a search path. */
export function statementIn(schema: string, sql: string): string {
  return sql
    .replaceAll("@now", NOW)
    .replace(/@(runs|tasks|workflows|events|runners|meta)\b/g, `"${schema}".$1`)
    .replaceAll("@schema", schema);
}
