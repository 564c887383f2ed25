import type { Batch } from "../batch.ts";

/** What others may want to know of: a run that is due, an order, a run that has ended. */
export type Topic = "due" | "order" | "end";

/** Says what a commit has to tell the others. */
export interface News {
  /** The payload of the notification that goes out with a part; `null` for none. */
  of(part: Batch): string | null;
  /** The payload for something else. */
  tell(topic: Topic): string;
  /** Whether a payload is from here. */
  isOwn(payload: string): boolean;
}

/** How long others may take to hear of what is not due yet: by then they have looked for themselves. */
const SOON_MS = 2_000;

/** Marks what is told with the sender's token, as a notification comes back to who sent it. */
export function createNews(now: () => number): News {
  const token = crypto.randomUUID().slice(0, 8);
  return {
    of({ starts, writes }) {
      const topics = new Set<Topic>();
      const soon = now() + SOON_MS;
      if (starts.some(({ owner, fork, dueAt }) => (owner === undefined || fork !== undefined) && dueAt <= soon)) {
        topics.add("due");
      }
      for (const { move } of writes) {
        if (move === undefined || move.to === "running") continue;
        if (move.to === "completed" || move.to === "failed" || move.to === "cancelled") topics.add("end");
        else if (move.to !== "waiting" || (move.release && move.dueAt !== undefined && move.dueAt <= soon)) {
          topics.add("due");
        }
      }
      return topics.size === 0 ? null : `${token} ${[...topics].join(" ")}`;
    },
    tell: (topic) => `${token} ${topic}`,
    isOwn: (payload) => payload.startsWith(`${token} `),
  };
}
