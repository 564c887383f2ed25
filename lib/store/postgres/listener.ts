/**
 * Hears of what others have changed. A notification is a hint that may get lost, as while the connection is away, or
 * never come, as behind a pooler: so the listener speaks to itself now and then, begins anew when it does not hear
 * itself, and says "changed" whenever it may have missed something. The engine's slow polls are what counts.
 *
 * @module
 */
import { type Clock, systemClock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import { messageOf } from "./faults.ts";
import { createLine, type Line } from "./line.ts";
import type { News } from "./news.ts";

/** Watches a schema. */
export interface Listener {
  /** Calls `changed` when somebody else has changed something; the answer ends it. */
  watch(changed: () => void): () => void;
  /** Ends all watching and the connection. */
  close(): Promise<void>;
}

/** How to listen. */
export interface ListenerOptions {
  /** The server, the database and the login. */
  readonly url: string;
  /** What the connection calls itself. */
  readonly applicationName: string;
  /** The channel. */
  readonly channel: string;
  /** Tells own notifications from others'. */
  readonly news: News;
  /** Where messages go. */
  readonly logger: Logger;
  /** A clock of tests, which is told of what is under way. */
  readonly clock?: Clock | undefined;
  /** How often it speaks to itself. @default {20_000} */
  readonly selfTestMs?: number;
  /** How long it waits to hear itself. @default {5_000} */
  readonly echoMs?: number;
}

/** Many hints within so long are one. */
const QUIET_MS = 10;
const LONGEST_PAUSE_MS = 5_000;

/** A listener that connects once somebody watches. */
export function createListener(options: ListenerOptions): Listener {
  const { channel, news, logger, clock, selfTestMs = 20_000, echoMs = 5_000 } = options;
  const watchers = new Set<() => void>();
  const leaving = new Set<Promise<void>>();
  const echo = `echo ${options.applicationName}`;
  let line: Line | undefined;
  let failures = 0;
  let wasHeard = false;
  let cancelNext = () => {};
  let cancelTell: (() => void) | undefined;
  return { watch, close };

  function watch(changed: () => void): () => void {
    // Of its own, as the same function may watch twice.
    const watcher = (): void => changed();
    watchers.add(watcher);
    if (watchers.size === 1) listen();
    return () => {
      if (watchers.delete(watcher) && watchers.size === 0) void close();
    };
  }

  function listen(): void {
    cancelNext();
    const made = createLine({
      url: options.url,
      applicationName: options.applicationName,
      deadlineMs: echoMs,
      prepare: false,
      notified: (payload) => heard(made, payload),
      lost: () => again(made),
    });
    line = made;
    // Whatever was told before this is there to be seen once it has succeeded.
    const listening = made.query(`listen "${channel}"`, []).then(() => {
      if (line !== made) return;
      tell();
      return test(made);
    }).catch((error) => again(made, error));
    clock?.outside?.(listening);
  }

  async function test(made: Line): Promise<void> {
    wasHeard = false;
    await made.query(`select pg_notify('${channel}', '${echo}')`, []);
    cancelNext = systemClock.after(echoMs, () => {
      if (line !== made) return;
      if (!wasHeard) return again(made, new Error("it does not hear its own notifications, as behind a pooler"));
      failures = 0;
      cancelNext = systemClock.after(selfTestMs, () => void test(made).catch((error) => again(made, error)), true);
    }, true);
  }

  function again(made: Line, error?: unknown): void {
    if (line !== made) return;
    line = undefined;
    cancelNext();
    leave(made);
    if (watchers.size === 0) return;
    if (failures++ === 1) {
      logger.warn("Cannot listen to the Postgres database: news from other processes come late", {
        error: error === undefined ? "the connection is lost" : messageOf(error),
      });
    }
    const ms = Math.min(50 * 2 ** Math.min(failures, 10), LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
    cancelNext = systemClock.after(ms, listen, true);
  }

  function heard(made: Line, payload: string): void {
    if (line !== made) return;
    if (payload === echo) wasHeard = true;
    else if (!payload.startsWith("echo ") && !news.isOwn(payload)) tell();
  }

  function tell(): void {
    if (cancelTell !== undefined) return;
    const told = Promise.withResolvers<void>();
    const cancel = systemClock.after(QUIET_MS, () => {
      cancelTell = undefined;
      for (const watcher of [...watchers]) call(watcher);
      told.resolve();
    }, true);
    cancelTell = () => {
      cancel();
      told.resolve();
    };
    clock?.outside?.(told.promise);
  }

  function call(watcher: () => void): void {
    try {
      watcher();
    } catch (error) {
      logger.error("Cannot tell a watcher that the database has changed", { error });
    }
  }

  async function close(): Promise<void> {
    watchers.clear();
    cancelNext();
    cancelTell?.();
    cancelTell = undefined;
    const last = line;
    line = undefined;
    if (last !== undefined) leave(last);
    await Promise.all(leaving);
  }

  // Kept, as who closes the store waits for what nobody has waited for before.
  function leave(made: Line): void {
    const left = made.close().catch(() => {}).finally(() => leaving.delete(left));
    leaving.add(left);
  }
}
