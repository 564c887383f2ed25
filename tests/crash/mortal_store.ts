import type { Batch, Receipt } from "../../lib/store/batch.ts";
import type { Store } from "../../lib/store/port.ts";

/** A moment on the way of a commit at which a process is to die. */
export interface Moment {
  /** Before the commit, inside of its transaction with everything but the claim written, or right after it. */
  readonly at: "before" | "inside" | "after";
  /**
   * Which commit: the first that inserts runs, that claims some, that ends one, that hands one back, that records a
   * task or step in a state (`"b completed"`, `"sum/one completed"`), or that takes the runner off the list.
   */
  readonly of: "insert" | "claim" | "end" | "hand back" | "leave" | `${string} ${string}`;
}

/** A store that calls `die`, which must not return, at a moment. */
export function mortalStore(store: Store, { at, of }: Moment, die: () => never): Store {
  return {
    ...store,
    async commit(batch) {
      const isIt = of !== "claim" && isMoment(batch, of);
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
  const part = step === undefined ? "" : `step:${step}`;
  return batch.writes.some(({ records }) =>
    records.some((record) => record.task === task && record.part === part && record.state === state)
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
