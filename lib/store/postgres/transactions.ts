import { systemClock } from "../../clock.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { PostgresAddress } from "./url.ts";

/** A connection lent to a single transaction for exclusive use. */
export interface Lent {
  /** The connection. */
  readonly connection: Connection;
  /** Its `application_name`. */
  readonly applicationName: string;
  /** Returns the connection to the pool. */
  done(): void;
}

/** Connections for users' transactions, which may take long: the engine's own transactions never wait for them. */
export interface Transactions {
  /** Waits for a free connection; rejects with the signal's reason when it aborts. */
  take(signal: AbortSignal): Promise<Lent>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Options of the pool. */
export interface TransactionsOptions {
  /** The server, the database and the login. */
  readonly address: PostgresAddress;
  /** Returns the `application_name` of the next connection. */
  readonly newName: () => string;
  /** Whether statements are prepared by name. */
  readonly prepare: boolean;
  /** The most connections at once. */
  readonly most: number;
}

/** How long an unused connection is kept, in milliseconds. */
const IDLE_MS = 10_000;
const DEADLINE_MS = 20_000;

const FORGET = ["reset session authorization", "reset all"];

interface Member {
  readonly connection: Connection;
  readonly applicationName: string;
  cancelEnd: () => void;
}

/** Creates a pool without connections. */
export function createTransactions({ address, newName, prepare, most }: TransactionsOptions): Transactions {
  const idle: Member[] = [];
  const all = new Set<Member>();
  const line: ((member: Member) => void)[] = [];
  const leaving = new Set<Promise<void>>();
  return { take, close };

  async function take(signal: AbortSignal): Promise<Lent> {
    signal.throwIfAborted();
    const member = free() ?? await turn(signal);
    let isDone = false;
    return {
      connection: member.connection,
      applicationName: member.applicationName,
      done() {
        if (!isDone) giveBack(member);
        isDone = true;
      },
    };
  }

  function free(): Member | undefined {
    for (let member = idle.pop(); member !== undefined; member = idle.pop()) {
      member.cancelEnd();
      if (!member.connection.isLost) return member;
      leave(member);
    }
    return all.size < most ? open() : undefined;
  }

  function open(): Member {
    const applicationName = newName();
    const connection = openConnection({
      address,
      applicationName,
      deadlineMs: DEADLINE_MS,
      prepare,
      isForUsers: true,
    });
    const member: Member = { connection, applicationName, cancelEnd() {} };
    all.add(member);
    return member;
  }

  function turn(signal: AbortSignal): Promise<Member> {
    return new Promise((resolve, reject) => {
      line.push(got);
      signal.addEventListener("abort", giveUp, { once: true });

      function got(member: Member): void {
        signal.removeEventListener("abort", giveUp);
        resolve(member);
      }

      function giveUp(): void {
        line.splice(line.indexOf(got), 1);
        reject(signal.reason);
      }
    });
  }

  function giveBack(member: Member): void {
    if (member.connection.isLost) leave(member);
    else {
      // Sent before the next statement. Settings of a body must not reach the next body, which may be another tenant's.
      for (const sql of FORGET) member.connection.query(sql, []).catch(() => end(member));
      idle.push(member);
      member.cancelEnd = systemClock.after(IDLE_MS, () => end(member), true);
    }
    const next = line.length > 0 ? free() : undefined;
    if (next !== undefined) line.shift()!(next);
  }

  function end(member: Member): void {
    const at = idle.indexOf(member);
    if (at >= 0) idle.splice(at, 1);
    leave(member);
  }

  function leave(member: Member): void {
    all.delete(member);
    const left = member.connection.close().finally(() => leaving.delete(left));
    leaving.add(left);
  }

  async function close(): Promise<void> {
    for (const { cancelEnd } of all) cancelEnd();
    for (const member of all) leave(member);
    await Promise.all(leaving);
  }
}
