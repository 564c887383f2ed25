import type { Batch } from "../../port/batch.ts";
import { isSoonDue, SOON_MS } from "../../shared/changes.ts";
import { ANY_CHANGE, type Change } from "../../port/store.ts";

/** Writes and reads the payloads of notifications. */
export interface News {
  /** The payload of the notification that is sent with a part; `null` for none. */
  of(part: Batch): string | null;
  /** The payload for a change. */
  tell(change: Change): string;
  /** Leaves out notifications for a while, as the queue of the server is full. */
  pause(): void;
  /** Parses a payload; returns `undefined` if it does not concern this store. */
  read(payload: string): Change | undefined;
}

const PAUSE_MS = 10_000;

/** A payload has at most 8,000 bytes. */
export const MOST_RUNNERS = 100;

/**
 * A payload is a sender's token and topics, such as `1f0c22a9 due end @12 @15`: runs may be due, runs may have ended,
 * runs of the runners 12 and 15 were changed from outside. The token marks the sender's own notifications, which the
 * sender also receives.
 */
export function createNews(now: () => number): News {
  let pausedUntil = -Infinity;
  const token = crypto.randomUUID().slice(0, 8);
  return {
    of(part) {
      if (performance.now() < pausedUntil) return null;
      const change = { due: isAnySoonDue(part), ended: hasEnds(part), attention: [] };
      return change.due || change.ended ? tell(change) : null;
    },
    tell,
    pause: () => void (pausedUntil = performance.now() + PAUSE_MS),
    read(payload) {
      const [sender, ...topics] = payload.split(" ");
      const isOwn = sender === token;
      const runners = topics.flatMap((topic) => topic.startsWith("@") ? [Number(topic.slice(1))] : []);
      // Two runners may share a store, so a change that is addressed to a runner is delivered to all.
      if (isOwn && runners.length === 0) return undefined;
      // An unknown payload was sent by another version.
      if (!topics.every((topic) => topic === "due" || topic === "end" || topic.startsWith("@"))) return ANY_CHANGE;
      return {
        due: !isOwn && topics.includes("due"),
        ended: !isOwn && topics.includes("end"),
        attention: runners.includes(0) ? undefined : runners,
      };
    },
  };

  function isAnySoonDue({ starts, writes }: Batch): boolean {
    const at = now();
    return starts.some((run) => (run.owner === undefined || run.fork !== undefined) && isSoonDue(run, at)) ||
      writes.some(({ move, children = [] }) => {
        if (children.some(({ owner, isShared }) => owner === undefined || isShared === true)) return true;
        switch (move?.to) {
          case "pending":
          case "compensating":
          case "stranded":
            return true;
          case "waiting":
            return move.release && move.dueAt !== undefined && move.dueAt <= at + SOON_MS;
          default:
            return false;
        }
      });
  }

  function tell({ due, ended, attention = [0] }: Change): string {
    const runners = attention.length > MOST_RUNNERS ? [0] : attention;
    const topics = [...(due ? ["due"] : []), ...(ended ? ["end"] : []), ...runners.map((runner) => `@${runner}`)];
    return [token, ...topics].join(" ");
  }
}

function hasEnds({ writes }: Batch): boolean {
  return writes.some(({ move }) => move?.to === "completed" || move?.to === "failed" || move?.to === "cancelled");
}

/**
 * SQL that notifies unless the queue of the server is nearly full: the transaction would fail at its commit. Other
 * processes find out by their polls then.
 */
export function notifySql({ channel, payload }: { readonly channel: string; readonly payload: string }): string {
  return `case when pg_notification_queue_usage() < 0.9 then pg_notify(${channel}, ${payload})::text end as told`;
}
