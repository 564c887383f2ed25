import type { Batch, Receipt } from "../../lib/store/batch.ts";
import type { Store } from "../../lib/store/port.ts";
import { isPostgres, type Place, readPlace } from "../place.ts";

/** A moment on the way of a commit at which a process is to die. */
export interface Moment {
  /**
   * Before the commit, inside of it, or right after it. Inside is on SQLite with everything but the claim written, and on
   * Postgres when the server is at work on what it was sent, which it finishes.
   */
  readonly at: "before" | "inside" | "after";
  /**
   * Which commit: the first that inserts runs, that claims some, that ends one, that hands one back, that records a
   * task or step in a state (`"b completed"`, `"sum/one completed"`), or that takes the runner off the list.
   */
  readonly of: "insert" | "claim" | "end" | "hand back" | "leave" | `${string} ${string}`;
}

/** A store that calls `die`, which must not return, at a moment. */
export function mortalStore(store: Store, place: Place, { at, of }: Moment, die: () => never): Store {
  return {
    ...store,
    async commit(batch) {
      const isIt = of !== "claim" && isMoment(batch, of);
      if (at === "inside" && isPostgres(place) && (isIt || (of === "claim" && batch.claim !== undefined))) {
        return await dieUnanswered(place, () => store.commit(batch), die);
      }
      if (isIt && at === "before") die();
      if (of === "claim" && batch.claim !== undefined && at === "before") die();
      const receipt = await store.commit(at === "inside" && (isIt || of === "claim") ? deadly(batch, of, die) : batch);
      if (at === "after" && (isIt || (of === "claim" && hasClaimed(receipt)))) die();
      return receipt;
    },
    async leave(runner) {
      if (of === "leave" && at === "before") die();
      await store.leave(runner);
      if (of === "leave" && at === "after") die();
    },
  };
}

function isMoment(batch: Batch, of: Moment["of"]): boolean {
  switch (of) {
    case "insert":
      return batch.starts.length > 0;
    case "end":
      return batch.writes.some(({ move }) => move?.to === "completed" || move?.to === "failed");
    case "hand back":
      return batch.writes.some(({ move }) => move?.to === "pending" || (move?.to === "waiting" && move.release));
    case "claim":
    case "leave":
      return false;
  }
  const [unit, state] = of.split(" ");
  const [task, step] = unit!.split("/");
  return batch.writes.some(({ records }) =>
    records.some((record) => record.task === task && record.step === (step ?? "") && record.state === state)
  );
}

function hasClaimed(receipt: Receipt): boolean {
  return (receipt.claim?.runs.length ?? 0) > 0;
}

/**
 * A batch that kills who applies it. The store looks at `claim` once to see what there is to do, and a second time when
 * it has applied all the rest; at the claim's `runner` it looks only inside of the transaction.
 */
function deadly(batch: Batch, of: Moment["of"], die: () => never): Batch {
  const { starts, writes, claim } = batch;
  if (of === "claim") {
    const trap = claim && Object.defineProperty({ ...claim }, "runner", { get: die });
    return { starts, writes, claim: trap };
  }
  let looks = 0;
  return {
    starts,
    writes,
    get claim() {
      return ++looks > 1 ? die() : claim;
    },
  };
}

/** Sends a commit that a lock holds up, and dies while it does. */
async function dieUnanswered(place: Place, commit: () => Promise<unknown>, die: () => never): Promise<never> {
  const locker = readPlace(place);
  await locker.query("begin");
  // Whoever writes for a runner holds its row.
  await locker.query("select id from runners for update");
  commit().catch(() => {});
  const held = "select pid from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))";
  while ((await locker.query(held)).length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  return die();
}
