import { type Clock, monotonicOf, systemClock } from "../../../clock.ts";
import type { Logger } from "../../../logger.ts";
import { type ClockSteps, createClockSteps } from "../../shared/clock_steps.ts";
import type { StoreCounters } from "../../port/store.ts";
import type { Row } from "../../shared/decode.ts";
import { faultOf } from "./faults.ts";
import { ABANDONED, backendPrefix, LONGEST_IDLE_MS, TERMINATE } from "./backends.ts";
import { createServerClock } from "./clock.ts";
import type { Bindable, BoundStatement, Query } from "./connection.ts";
import type { Answer } from "./driver.ts";
import type { Line } from "./line.ts";
import { createPersistence, type Persistence } from "./persistence.ts";

/** The purpose of a connection: no purpose may wait for another. */
export type Role =
  /** Results and starts. */
  | "flush"
  /** Claims without results: they run concurrently with results. */
  | "claim"
  /** Starts with a key: they may wait for another transaction that has started a run with the same key. */
  | "keys"
  /** Heartbeats, and the detection of runners without heartbeats. */
  | "heartbeat"
  /** Statements that only read. */
  | "read"
  /** Rare work of several statements: orders, recovery, migration. */
  | "care";

/** Runs a statement in which tables are written as `@runs`, and the time as `@now`, which needs `null` for `$1`. */
export type Run = (sql: string, values?: readonly Bindable[]) => Promise<readonly Row[]>;

/** An open transaction. */
export interface Transaction {
  /** Runs a statement in it. */
  readonly run: Run;
  /** Counts rows that were written. */
  wrote(rows: number): void;
}

/** Sends the statements of a store to the server, and counts them. */
export interface Session {
  /** The name of the database and schema, for messages. */
  readonly name: string;
  /** The tenant's schema. */
  readonly schema: string;
  /** Receives warnings about errors that are handled automatically. */
  readonly logger: Logger;
  /** Retries transient errors. */
  readonly persistence: Persistence;
  /** Returns `work`; a test clock stands still until it has settled. */
  outside<T>(work: Promise<T>): Promise<T>;
  /** The same for work that may be blocked until a test clock moves: that stands still for a second at most. */
  outsideForAMoment(work: PromiseLike<unknown>): void;
  /** The value to bind for `$1` in a statement that contains `@now`. */
  readonly at: Bindable;
  /** The time of the store's clock. */
  now(): number;
  /** The steps of that clock, as far as answers of the server show them. */
  readonly steps: ClockSteps;
  /** Runs a statement that reads. */
  read(sql: string, values?: readonly Bindable[], role?: Role): Promise<readonly Row[]>;
  /** Runs a statement that writes; `rows` returns the number of written rows from its result. */
  write(
    role: Role,
    sql: string,
    values: readonly Bindable[],
    rows: (answer: readonly Row[]) => number,
  ): Promise<readonly Row[]>;
  /** Runs a transaction of several statements; all of `work` is repeated after a transient error. */
  transact<T>(role: Role, work: (transaction: Transaction, isDoubtful: boolean) => Promise<T>): Promise<T>;
  /** The same without retries. */
  once<T>(role: Role, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Runs statements in a single transaction that is sent whole, without retries. */
  pipeline(role: Role, statements: readonly BoundStatement[]): Promise<readonly Answer[]>;
  /** Runs a statement in a separate transaction, without retries; see `Query` for `deadlineMs`. */
  single(role: Role, ...statement: Parameters<Query>): Promise<Answer>;
  /** Counts a transaction that wrote rows. */
  wrote(rows: number): void;
  /** Returns a statement with its names schema-qualified. */
  textOf(sql: string): string;
  /** Ends a connection on the server, even while it executes a statement. */
  endConnection(applicationName: string): Promise<void>;
  /** Ends the work that a lost connection of this role may still do on the server. */
  endRemains(role: Role): Promise<void>;
  /** Ends the transactions of runners that are dead or gone, and those whose process has stopped in the middle. */
  endAbandoned(): Promise<void>;
  /** The same in the background, at most once in the time that a backend may wait for its client. */
  endAbandonedSoon(): void;
  /** The counts so far. */
  counters(): StoreCounters;
  /** Ends all waits, except that for connections that are being ended on the server, which is short. */
  close(): Promise<void>;
}

/** How long `close()` waits for the end of connections on the server. */
const END_MS = 1_000;
/** How long a test clock waits for a statement of a body, which another body may block. */
const MOMENT_MS = 1_000;

/** Options of `createSession()`. */
export interface SessionOptions {
  /** The name of the database and schema, without any password, for messages. */
  readonly name: string;
  /** The tenant's schema, checked. */
  readonly schema: string;
  /** The connections, which their owner closes. */
  readonly lines: Readonly<Record<Role, Line>>;
  /** Replaces the server's clock, for tests. */
  readonly clock: Clock | undefined;
  /** Receives warnings and errors. */
  readonly logger: Logger;
}

// The server's time, evaluated once per statement.
const NOW = "coalesce($1::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)";

/** Creates a session without opening a connection. */
export function createSession(options: SessionOptions): Session {
  const { name, schema, lines, clock, logger } = options;
  const persistence = createPersistence(name, logger, clock);
  const steps = createClockSteps(clock === undefined ? () => performance.now() : monotonicOf(clock));
  if (clock !== undefined) steps.compare(clock.now());
  const serverClock = createServerClock(undefined, steps);
  const texts = new Map<string, string>();
  const endings = new Set<Promise<void>>();
  let lookedAt = -Infinity;
  let commits = 0;
  let statements = 0;
  let rows = 0;
  return {
    name,
    schema,
    logger,
    persistence,
    outside(work) {
      clock?.outside?.(work);
      return work;
    },
    outsideForAMoment(work) {
      if (clock?.outside === undefined) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancel = systemClock.after(MOMENT_MS, resolve, true);
      clock.outside(promise);
      work.then(settled, settled);

      function settled(): void {
        cancel();
        resolve();
      }
    },
    get at() {
      return clock === undefined ? null : String(clock.now());
    },
    now: () => clock === undefined ? serverClock.now() : clock.now(),
    steps,
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
    endConnection,
    endAbandoned,
    endAbandonedSoon,
    counters: () => ({ commits, statements, rows, retries: persistence.retries() }),
    close,
  };

  async function single(role: Role, ...statement: Parameters<Query>): Promise<Answer> {
    return await execute(lines[role].query, ...statement);
  }

  async function pipeline(role: Role, sent: readonly BoundStatement[]): Promise<readonly Answer[]> {
    statements += sent.length;
    const at = performance.now();
    const answers = await watched(lines[role].pipeline(sent.map(({ sql, values }) => ({ sql: textOf(sql), values }))));
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
    const answer = await watched(query(textOf(sql), ...rest));
    learn(answer, sent);
    return answer;
  }

  /** Looks for the holder of a lock that was waited for in vain. */
  async function watched<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (faultOf(error) === "conflict") endAbandonedSoon();
      throw error;
    }
  }

  function learn(answer: readonly Row[], sent: number): void {
    const said = answer[0]?.["server_now"];
    if (clock !== undefined) steps.compare(clock.now());
    else if (said !== undefined) serverClock.learn(Number(said), sent);
  }

  function wrote(count: number): void {
    if (count > 0) commits++;
    rows += count;
  }

  async function endRemains(role: Role): Promise<void> {
    await terminate(role, lines[role].applicationName);
  }

  function endConnection(applicationName: string): Promise<void> {
    return noted(terminate("care", applicationName));
  }

  /** Close waits for it. */
  function noted(work: Promise<void>): Promise<void> {
    const ending = work.finally(() => endings.delete(ending));
    endings.add(ending);
    return ending;
  }

  async function close(): Promise<void> {
    persistence.close();
    if (endings.size === 0) return;
    const { promise: isLate, resolve } = Promise.withResolvers<void>();
    const cancel = systemClock.after(END_MS, resolve);
    await Promise.race([Promise.allSettled(endings), isLate]);
    cancel();
  }

  async function endAbandoned(): Promise<void> {
    const found = await persistence.attempt("read", () => single("care", ABANDONED, []));
    for (const { prefix } of found) await persistence.attempt("write to", () => terminate("care", String(prefix)));
  }

  function endAbandonedSoon(): void {
    if (performance.now() - lookedAt < LONGEST_IDLE_MS) return;
    lookedAt = performance.now();
    // What fails is tried again as long as a lock is in the way.
    void noted(endAbandoned().catch(() => {}));
  }

  async function terminate(role: Role, applicationName: string): Promise<void> {
    await lines[role].pipeline([
      // A role that the login assumes when it connects may not end connections of the login.
      { sql: "set local role none", values: [] },
      { sql: TERMINATE, values: [backendPrefix(applicationName)] },
    ]);
  }

  function textOf(sql: string): string {
    let text = texts.get(sql);
    if (text === undefined) texts.set(sql, text = statementIn(schema, sql));
    return text;
  }
}

/** Schema-qualifies the names of a statement: no table is ever found through a search path. */
export function statementIn(schema: string, sql: string): string {
  return sql
    .replaceAll("@now", NOW)
    .replace(
      /@(runs|tasks|messages|claims|workflows|events|runners|schedules|limits|lanes|queues|lane_queues|permits|starts|meta)\b/g,
      `"${schema}".$1`,
    )
    .replaceAll("@schema", schema);
}
