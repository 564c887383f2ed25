/**
 * A single connection. This is the only file that knows the driver and its hazards: a
 * transaction begun while other queries are in flight may absorb and lose them, queries that wait for a connection that
 * ends are sent on the next connection, outside of their transaction, and the driver waits without limit for a server
 * that vanished silently. So the driver gets a single connection at a time, every query has a deadline, and a
 * connection that ended is never reused.
 *
 * @module
 */
import type { Socket } from "node:net";
import { dial, type Servers } from "./dial.ts";
import { type Answer, createDriver, type DriverSql } from "./driver.ts";
import { codeOf, isFromServer, messageOf } from "./faults.ts";
import type { HostOrder } from "./hosts.ts";
import { serverOf, settingsOf, type StartupOptions } from "./startup.ts";
import { completeTls, driverTls } from "./tls.ts";
import type { Password } from "../../url.ts";

/** A value that may be bound; the caller formats numbers and arrays as text. */
export type Bindable = string | null;

/** A statement with its bound values. */
export interface BoundStatement {
  /** The SQL text. */
  readonly sql: string;
  /** The values of `$1`, `$2` and so on. */
  readonly values: readonly Bindable[];
}

/** Runs a statement. Beyond `deadlineMs`, or the limit of the connection, the connection is abandoned. */
export type Query = (sql: string, values: readonly Bindable[], deadlineMs?: number) => Promise<Answer>;

/** How to connect. */
export interface ConnectionOptions extends StartupOptions {
  /** The order of its hosts. */
  readonly hosts: HostOrder;
  /** The `application_name` on the server. Unique, so that remains of a lost connection can be found and ended. */
  readonly applicationName: string;
  /** Called with each notification. */
  readonly notified?: (channel: string, payload: string) => void;
  /** Called when the connection is lost. */
  readonly lost?: () => void;
}

/** A single connection from its beginning to its end. */
export interface Connection {
  /** Whether it has ended. */
  readonly isLost: boolean;
  /** The error of a connection that has ended. */
  readonly whyLost: Error | undefined;
  /** Rejects when it ends. */
  readonly lost: Promise<never>;
  /** Runs a statement. */
  readonly query: Query;
  /** The driver with this connection, for a caller that has exclusive use and sends nothing once it is lost. */
  readonly sql: DriverSql;
  /** Resolves when nothing is in flight. */
  idle(): Promise<void>;
  /** Whether all hosts were passed over, so that the second choice is good enough. */
  readonly isLastResort: boolean;
  /** Records that the server is usable. */
  accept(): void;
  /** Ends the connection, as its server is of the wrong kind; the next connection tries the next host. */
  refuse(reason: Error): void;
  /** Ends the connection at once, even with queries in flight. */
  abandon(): void;
  /** Ends the connection. */
  close(): Promise<void>;
}

const CONNECT_MS = 10_000;

/** Creates a connection that opens with the first statement. */
export function openConnection(options: ConnectionOptions): Connection {
  const { address, hosts, prepare, deadlineMs, isForUsers = false } = options;
  const end = Promise.withResolvers<never>();
  end.promise.catch(() => {});
  const aborted = new AbortController();
  const gone = Promise.withResolvers<void>();
  const flying = new Set<PromiseWithResolvers<Answer>>();
  const ssl = address.tls === undefined ? undefined : driverTls(address.tls);
  let password = "";
  let socket: Socket | undefined;
  // The index of the server, and how many were tried.
  let at = 0;
  let tries = 0;
  // Whether the server has responded to a statement.
  let isReady = false;
  let isLost = false;
  let ended: Promise<unknown> = Promise.resolve();
  // Never pass the URL: the driver parses it differently, and prefers it to the options that are set here.
  const sql = createDriver({
    ...serverOf(address),
    ...(ssl === undefined ? {} : { ssl }),
    max: 1,
    prepare,
    idle_timeout: undefined,
    max_lifetime: null,
    connect_timeout: CONNECT_MS / 1_000,
    // The driver would not handle the rejection of the query that it sends for it; see user_types.ts.
    fetch_types: false,
    backoff: () => 0,
    onnotice() {},
    onclose: () => lose(lostError("it was closed")),
    connection: { ...settingsOf(options), application_name: options.applicationName },
    types: isForUsers ? {} : { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
    transform: {},
    socket: connect,
    onnotify: (channel: string, payload: string) => options.notified?.(channel, payload),
    ...(address.password === undefined ? {} : { password: () => password }),
  });
  return {
    get isLost() {
      return isLost;
    },
    get whyLost() {
      return isLost ? lostError("it has ended") : undefined;
    },
    lost: end.promise,
    query,
    sql,
    get isLastResort() {
      return hosts.isExhausted;
    },
    accept: () => hosts.use(at),
    refuse(reason) {
      hosts.passOver(at);
      lose(reason);
    },
    abandon: () => lose(lostError("it was abandoned")),
    async idle() {
      while (flying.size > 0) await Promise.allSettled([...flying].map(({ promise }) => promise));
    },
    close,
  };

  /** Called by the driver, and again if a server closes the connection before it responds. */
  async function connect(servers: Servers): Promise<Socket> {
    try {
      // Once anything was sent, the queries that the driver still holds must not be sent on another connection.
      if (isLost || isReady || tries++ >= servers.host.length) throw lostError("the server closed it");
      if (address.password !== undefined) password = await passwordOf(address.password);
      const dialled = await dial(servers, { order: hosts, timeoutMs: CONNECT_MS, signal: aborted.signal });
      const made = dialled.socket;
      socket = made;
      at = dialled.at;
      // Needed because the driver does not forget a connection that ends before it is ready.
      made.once("close", () => {
        if (!isReady) hosts.passOver(dialled.at);
        // The driver calls again and gets the next server.
        if (!isLost && !isReady && tries < servers.host.length) return;
        gone.resolve();
        lose(lostError("the server closed it"));
      });
      if (address.tls !== undefined && typeof ssl === "object") await completeTls(ssl, address.tls, dialled.host);
      // The driver would never learn that this socket is closed.
      if (made.closed && !isLost) return await connect(servers);
      if (isLost) made.destroy();
      return made;
    } catch (error) {
      lose(error);
      throw error;
    }
  }

  async function query(text: string, values: readonly Bindable[], limitMs = deadlineMs): Promise<Answer> {
    if (isLost) return await end.promise;
    const ms = Math.min(limitMs, deadlineMs);
    const timer = setTimeout(() => lose(lostError(`no response within ${ms} ms`)), ms);
    const answer = Promise.withResolvers<Answer>();
    sql.unsafe(text, [...values], { prepare }).then(answer.resolve, answer.reject);
    // The driver forgets some pending queries when its connection ends. (Not a race with `end`, which would retain
    // every result for as long as the connection lasts.)
    flying.add(answer);
    try {
      const rows = await answer.promise;
      isReady = true;
      return rows;
    } catch (error) {
      if (isFatal(error, options)) {
        if (!isReady || isReadOnly(error)) hosts.passOver(at);
        // Others that are in flight may have been executed.
        lose(isReadOnly(error) ? lostError(messageOf(error)) : error);
      }
      isReady = true;
      throw error;
    } finally {
      clearTimeout(timer);
      flying.delete(answer);
    }
  }

  function lose(error: unknown): void {
    if (isLost) return;
    isLost = true;
    end.reject(error);
    for (const { reject } of flying) reject(error);
    aborted.abort();
    options.lost?.();
    // Registered again, because the driver removes listeners when it begins to encrypt.
    if (socket === undefined || socket.closed) gone.resolve();
    else socket.once("close", () => gone.resolve());
    socket?.destroy();
    endDriver(0);
  }

  async function close(): Promise<void> {
    if (!isLost) await Promise.race([endDriver(1), end.promise]).catch(() => {});
    lose(lostError("it was closed"));
    await Promise.all([gone.promise, ended]);
    // If the driver still holds a query when its socket closes, it sets a timer, without delay, that calls `connect` once
    // more, which throws.
    await new Promise((resolve) => setTimeout(resolve));
  }

  /** Until its first end has begun, the driver begins another one, with a timer of its own, when it is called again. */
  function endDriver(timeout: number): Promise<unknown> {
    return ended = Promise.all([ended, sql.end({ timeout }).catch(() => {})]);
  }
}

/** Rejects with a connection error if the function fails: the source of passwords may be down for a while. */
async function passwordOf(password: Password): Promise<string> {
  if (typeof password === "string") return password;
  try {
    const given: unknown = await password();
    if (typeof given === "string") return given;
    throw new TypeError(`it returned a value of type ${typeof given}`);
  } catch (error) {
    throw Object.assign(new Error(`the option "password" failed: ${messageOf(error)}`), { code: "CONNECT_PASSWORD" });
  }
}

/** Whether an error makes the connection unusable, which the driver detects only when the connection ends. */
function isFatal(error: unknown, { readOnly = false }: ConnectionOptions): boolean {
  if (typeof error !== "object" || error === null) return false;
  if (!("severity" in error)) return "code" in error;
  return error.severity !== "ERROR" || codeOf(error) === "26000" || (isReadOnly(error) && !readOnly);
}

/**
 * Whether the server refuses a statement because it only reads, as a standby does. The connection would go on leading
 * there after a failover, so it is dropped.
 */
function isReadOnly(error: unknown): boolean {
  const code = codeOf(error);
  // A standby refuses to begin a transaction that writes as a feature that it does not have.
  return isFromServer(error) && (code === "25006" || code === "0A000");
}

/** Creates the error of a connection that is no longer usable. */
export function lostError(why: string): Error {
  return Object.assign(new Error(`the connection is lost: ${why}`), { code: "CONNECTION_LOST" });
}
