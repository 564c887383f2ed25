/**
 * Receives notifications of changes by other processes. A notification is a hint: it may get lost while the connection
 * is down, and behind a pooler it may never arrive. So the listener periodically notifies itself over another connection
 * (a pooler may deliver what a connection notifies itself), reconnects if that notification does not arrive, and reports
 * any change whenever it may have missed a notification. Correctness depends only on the engine's slow polls.
 *
 * @module
 */
import { type Clock, systemClock } from "../../../clock.ts";
import type { Logger } from "../../../logger.ts";
import { both } from "../../shared/changes.ts";
import { ANY_CHANGE, type Change } from "../../port/store.ts";
import { isNotifyQueueFull, messageOf } from "./faults.ts";
import type { HostOrder } from "./hosts.ts";
import { createLine, type Line } from "./line.ts";
import type { PostgresAddress } from "./url.ts";

/** Watches any number of schemas over one connection. */
export interface Listener {
  /**
   * Calls `changed` with the change that `read` parses from each notification on a channel; a payload for which `read`
   * returns `undefined` is ignored. Returns a function that stops the watch.
   */
  watch(
    channel: string,
    read: (payload: string) => Change | undefined,
    changed: (change: Change) => void,
  ): () => void;
  /** Stops all watches and closes the connection. */
  close(): Promise<void>;
}

/** How to listen. */
export interface ListenerOptions {
  /** The server, the database and the login. */
  readonly address: PostgresAddress;
  /** The order of its hosts. */
  readonly hosts: HostOrder;
  /** The `application_name` of the connection, and the channel of its self-test. */
  readonly applicationName: string;
  /** The connection that sends the notification of the self-test. */
  readonly sender: Pick<Line, "query">;
  /** Receives warnings and errors. */
  readonly logger: Logger;
  /** A test clock, which is notified of pending work. */
  readonly clock?: Clock | undefined;
  /** The interval between self-tests, in milliseconds. @default {20_000} */
  readonly selfTestMs?: number;
  /** How long the self-test waits for its own notification, in milliseconds. @default {5_000} */
  readonly echoMs?: number;
}

/** Notifications within this time are merged. */
const QUIET_MS = 10;
const LONGEST_PAUSE_MS = 5_000;

/** A watcher of a channel. */
interface Watcher {
  readonly read: (payload: string) => Change | undefined;
  readonly changed: (change: Change) => void;
  /** The change that is not delivered yet. */
  pending: Change | undefined;
  cancelTell: (() => void) | undefined;
}

/** Creates a listener that connects at the first watch. */
export function createListener(options: ListenerOptions): Listener {
  const { applicationName, sender, logger, clock, selfTestMs = 20_000, echoMs = 5_000 } = options;
  const channels = new Map<string, Set<Watcher>>();
  const leaving = new Set<Promise<void>>();
  let line: Line | undefined;
  let failures = 0;
  let wasHeard = false;
  let cancelNext = () => {};
  return { watch, close };

  function watch(channel: string, read: Watcher["read"], changed: Watcher["changed"]): () => void {
    const watcher: Watcher = { read, changed, pending: undefined, cancelTell: undefined };
    const others = channels.get(channel);
    if (others !== undefined) others.add(watcher);
    else {
      channels.set(channel, new Set([watcher]));
      if (channels.size === 1) listen();
      else if (line !== undefined) subscribe(line, channel).catch(() => {});
    }
    return () => unwatch(channel, watcher);
  }

  function unwatch(channel: string, watcher: Watcher): void {
    const watchers = channels.get(channel);
    if (!watchers?.delete(watcher)) return;
    watcher.cancelTell?.();
    if (watchers.size > 0) return;
    channels.delete(channel);
    if (channels.size === 0) hangUp();
    else line?.query(`unlisten "${channel}"`, []).catch(() => {});
  }

  function listen(): void {
    cancelNext();
    const made = createLine({
      address: options.address,
      hosts: options.hosts,
      applicationName,
      deadlineMs: echoMs,
      prepare: false,
      notified: (channel, payload) => heard(made, channel, payload),
      lost: () => again(made),
    });
    line = made;
    const all = [
      made.query(`listen "${applicationName}"`, []),
      ...[...channels.keys()].map((it) => subscribe(made, it)),
    ];
    const listening = Promise.all(all).then(() => line === made ? test(made) : undefined)
      .catch((error) => again(made, error));
    clock?.outside?.(listening);
  }

  async function subscribe(made: Line, channel: string): Promise<void> {
    try {
      await made.query(`listen "${channel}"`, []);
    } catch (error) {
      again(made, error);
      throw error;
    }
    // Changes that were notified before this are visible to a read now.
    if (line === made) tell(channel);
  }

  async function test(made: Line): Promise<void> {
    wasHeard = false;
    try {
      await sender.query(`select pg_notify('${applicationName}', '')`, []);
    } catch (error) {
      if (!isNotifyQueueFull(error)) throw error;
      // There is nothing to test until there is room again.
      wasHeard = true;
    }
    if (line !== made) return;
    cancelNext = systemClock.after(echoMs, () => {
      if (line !== made) return;
      if (!wasHeard) return again(made, new Error("its own notifications do not arrive, as behind a pooler"));
      failures = 0;
      cancelNext = systemClock.after(selfTestMs, () => void test(made).catch((error) => again(made, error)), true);
    }, true);
  }

  function again(made: Line, error?: unknown): void {
    if (line !== made) return;
    line = undefined;
    cancelNext();
    leave(made);
    if (channels.size === 0) return;
    if (failures++ === 1) {
      logger.warn("Cannot listen to the Postgres database: notifications from other processes arrive late", {
        error: error === undefined ? "the connection is lost" : messageOf(error),
      });
    }
    const ms = Math.min(50 * 2 ** Math.min(failures, 10), LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
    cancelNext = systemClock.after(ms, listen, true);
  }

  function heard(made: Line, channel: string, payload: string): void {
    if (line !== made) return;
    if (channel === applicationName) wasHeard = true;
    else tell(channel, payload);
  }

  function tell(channel: string, payload?: string): void {
    for (const watcher of channels.get(channel) ?? []) {
      const change = payload === undefined ? ANY_CHANGE : watcher.read(payload);
      if (change === undefined) continue;
      watcher.pending = watcher.pending === undefined ? change : both(watcher.pending, change);
      // A change that is addressed to a runner is rare and urgent.
      if (change.attention?.length !== 0) watcher.cancelTell?.();
      watcher.cancelTell = change.attention?.length !== 0
        ? tellAfter(watcher, 0)
        : watcher.cancelTell ?? tellAfter(watcher, QUIET_MS);
    }
  }

  function tellAfter(watcher: Watcher, ms: number): () => void {
    const told = Promise.withResolvers<void>();
    const cancel = systemClock.after(ms, () => {
      call(watcher);
      told.resolve();
    }, true);
    clock?.outside?.(told.promise);
    return () => {
      cancel();
      told.resolve();
    };
  }

  function call(watcher: Watcher): void {
    const change = watcher.pending ?? ANY_CHANGE;
    watcher.cancelTell = undefined;
    watcher.pending = undefined;
    try {
      watcher.changed(change);
    } catch (error) {
      logger.error("Cannot notify a watcher of a database change", { error });
    }
  }

  function hangUp(): void {
    cancelNext();
    if (line !== undefined) leave(line);
    line = undefined;
  }

  function leave(made: Line): void {
    const left = made.close().catch(() => {}).finally(() => leaving.delete(left));
    leaving.add(left);
  }

  async function close(): Promise<void> {
    for (const watchers of channels.values()) {
      for (const { cancelTell } of watchers) cancelTell?.();
    }
    channels.clear();
    hangUp();
    await Promise.all(leaving);
  }
}
