/**
 * The transaction that the body of a task receives: the driver's connection with the interface of the driver's
 * transaction, usable only while the body runs.
 *
 * The driver's own `begin()` is unsuitable. In such a transaction a query on a connection that has ended, even the
 * driver's own rollback, throws an exception that cannot be caught and ends the process; and a query that a body leaves
 * behind is sent on the same connection during the next transaction.
 *
 * @module
 */
import type { DriverSql } from "../connect/driver.ts";

/** A transaction that is lent to a body. */
export interface GuardedTransaction {
  /** The handle for the body. */
  readonly tx: DriverSql;
  /** The first error of a query, whether or not the body has caught it: the server refuses all later statements. */
  readonly failure: { readonly error: unknown } | undefined;
  /** How long no query has been in flight, in milliseconds; 0 while one is. */
  readonly idleMs: number;
  /** Closes the handle: later queries are not sent and reject with the reason. */
  close(): void;
}

/** A connection whose transaction is lent. */
export interface GuardOptions {
  /** The driver, with this connection only. */
  readonly sql: DriverSql;
  /** Returns the error of a connection that has ended; `undefined` while it is usable. */
  readonly whyLost: () => Error | undefined;
  /** Rejects when the connection ends. */
  readonly lost: Promise<never>;
  /** Receives each query that is sent. */
  readonly sent: (query: PromiseLike<unknown>) => void;
}

/** The untyped part of the driver's queries: `handler` sends a query once it is awaited. */
interface LazyQuery extends PromiseLike<unknown> {
  handler: (query: LazyQuery) => unknown;
  canceller: unknown;
  reject(error: Error): void;
}

interface Scope {
  failure: { readonly error: unknown } | undefined;
}

/** Members of the driver's pool that a transaction does not have. */
const HIDDEN = new Set<PropertyKey>(
  ["begin", "reserve", "end", "close", "listen", "subscribe", "largeObject", "CLOSE", "END"],
);

/** Lends the transaction that is open on a connection. */
export function guardTransaction({ sql, whyLost, lost, sent }: GuardOptions): GuardedTransaction {
  const flying = new Set<LazyQuery>();
  const outermost: Scope = { failure: undefined };
  let isOver = false;
  let points = 0;
  let idleSince = performance.now();
  // The driver forgets some pending queries when its connection ends.
  lost.catch((error) => flying.forEach((query) => query.reject(error)));
  return {
    tx: lend(outermost),
    get failure() {
      return outermost.failure;
    },
    get idleMs() {
      return flying.size > 0 ? 0 : performance.now() - idleSince;
    },
    close: () => void (isOver = true),
  };

  function lend(scope: Scope): DriverSql {
    const tx: DriverSql = new Proxy(sql, {
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
    });
    return tx;
  }

  /** Checks a query when it is sent, which is when it is awaited, and not when it is created. */
  function guarded<T>(scope: Scope, made: T): T {
    if (!isLazyQuery(made)) return made;
    const send = made.handler;
    const handler = (query: LazyQuery): unknown => {
      const problem = isOver ? new Error("Cannot use the transaction: it is over") : whyLost();
      flying.add(query);
      // Handled here, so that the rejection of a query that is not awaited does not end the process.
      query.then(() => settled(query), (error) => {
        if (whyLost() === undefined) settled(query);
        scope.failure ??= { error };
      });
      if (problem !== undefined) return query.reject(problem);
      sent(query);
      return send(query);
    };
    made.handler = Object.assign(handler, send);
    made.canceller = refuseCancel;
    return made;
  }

  function settled(query: LazyQuery): void {
    flying.delete(query);
    idleSince = performance.now();
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

/** Returns the first failure if the error only reports that an earlier statement failed. */
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
