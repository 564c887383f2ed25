/**
 * A transaction as the body of a task has it: the driver's own connection, made to look like the driver's own
 * transaction, and only as long as the body runs.
 *
 * The driver's own `begin()` will not do. A query of one whose connection has ended, be it the driver's own rollback,
 * is an exception that nobody can catch and takes the process down; and a query that a body leaves behind is sent on
 * the same connection, when the next transaction is on it.
 *
 * @module
 */
import type { DriverSql, PostgresTransaction } from "./connection.ts";

/** A transaction that is lent to a body. */
export interface GuardedTransaction {
  /** What the body gets. */
  readonly tx: PostgresTransaction;
  /** What a query met first, whether or not the body has caught it: the server takes nothing after that. */
  readonly failure: { readonly error: unknown } | undefined;
  /** From now on nothing is sent any more, and whoever asks for it hears why. */
  close(): void;
}

/** A connection whose transaction is lent. */
export interface GuardOptions {
  /** The driver, with that one connection. */
  readonly sql: DriverSql;
  /** Why nothing can be sent on it any more; `undefined` while something can. */
  readonly whyLost: () => Error | undefined;
  /** Rejects when the connection ends. */
  readonly lost: Promise<never>;
}

/** What the driver's queries have that is in no type of its: who sends one, once somebody waits for it. */
interface LazyQuery {
  handler: (query: LazyQuery) => unknown;
  canceller: unknown;
  then(done: () => void, failed: (error: unknown) => void): unknown;
  reject(error: Error): void;
}

interface Scope {
  failure: { readonly error: unknown } | undefined;
}

/** What a transaction does not have, though the driver's pool does. */
const HIDDEN = new Set<PropertyKey>(
  ["begin", "reserve", "end", "close", "listen", "subscribe", "largeObject", "CLOSE", "END"],
);

/** Lends the transaction that is open on a connection. */
export function guardTransaction({ sql, whyLost, lost }: GuardOptions): GuardedTransaction {
  const flying = new Set<LazyQuery>();
  const outermost: Scope = { failure: undefined };
  let isOver = false;
  let points = 0;
  // The driver forgets some of what waits when its connection ends.
  lost.catch((error) => flying.forEach((query) => query.reject(error)));
  return {
    tx: lend(outermost),
    get failure() {
      return outermost.failure;
    },
    close: () => void (isOver = true),
  };

  function lend(scope: Scope): PostgresTransaction {
    const tx = new Proxy(sql, {
      apply: (target, self, values) => guarded(scope, Reflect.apply(target, self, values)),
      get(target, name) {
        if (HIDDEN.has(name)) return undefined;
        if (name === "prepare") return refusePrepare;
        if (name === "savepoint") return (...values: unknown[]) => savepoint(scope, values);
        if (name === "notify") {
          return (channel: string, payload: string) => tx`select pg_notify(${channel}, ${`${payload}`})`;
        }
        const member: unknown = Reflect.get(target, name);
        if (name !== "unsafe" && name !== "file") return member;
        return (...values: unknown[]) =>
          guarded(scope, (member as (...values: unknown[]) => unknown).apply(target, values));
      },
    }) as unknown as PostgresTransaction;
    return tx;
  }

  /** Not when it is made but when it is sent it must be in time, and that is when somebody waits for it. */
  function guarded<T>(scope: Scope, made: T): T {
    if (!isLazyQuery(made)) return made;
    const send = made.handler;
    const handler = (query: LazyQuery): unknown => {
      const problem = isOver ? new Error("Cannot use the transaction: it is over") : whyLost();
      flying.add(query);
      // Heard of here, so that one that nobody waits for does not end the process.
      query.then(() => flying.delete(query), (error) => {
        flying.delete(query);
        scope.failure ??= { error };
      });
      return problem === undefined ? send(query) : query.reject(problem);
    };
    made.handler = Object.assign(handler, send);
    made.canceller = refuseCancel;
    return made;
  }

  async function savepoint(outer: Scope, values: readonly unknown[]): Promise<unknown> {
    const body = values.at(-1);
    if (typeof body !== "function") throw new TypeError("A savepoint needs a function");
    const point = sql(values.length > 1 ? `s${points++}_${values[0]}` : `s${points++}`);
    const around = lend(outer);
    const scope: Scope = { failure: undefined };
    await around`savepoint ${point}`;
    try {
      const answer: unknown = await body(lend(scope));
      const result = Array.isArray(answer) ? await Promise.all(answer) : answer;
      if (scope.failure !== undefined) throw scope.failure.error;
      return result;
    } catch (error) {
      await around`rollback to ${point}`;
      throw firstOf(error, scope.failure);
    }
  }
}

/** What came first, if an error only says that something came before it. */
export function firstOf(error: unknown, failure: { readonly error: unknown } | undefined): unknown {
  const isAfterwards = error instanceof Error && "code" in error && error.code === "25P02";
  return isAfterwards && failure !== undefined ? failure.error : error;
}

function isLazyQuery(value: unknown): value is LazyQuery {
  return value instanceof Promise && "handler" in value && typeof value.handler === "function" && "reject" in value;
}

function refusePrepare(): never {
  throw new TypeError("Cannot prepare the transaction of a task: Sluice commits it, and not in two phases");
}

function refuseCancel(): never {
  throw new TypeError("Cannot cancel a query in the transaction of a task: the task has a time-out for that");
}
