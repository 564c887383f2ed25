import type { Batch, ClaimRequest, RunWrite } from "../../lib/store/port/batch.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { isPostgres, type Place, readPlace } from "../place.ts";

/** A moment relative to a commit at which a process dies. */
export interface Moment {
  /**
   * Before the commit, during it, or right after it. During the commit means on SQLite that all writes of a batch were
   * made, or that a claim holds the lock; on Postgres, that the server executes the statements, which it completes.
   */
  readonly at: "before" | "inside" | "after";
  /**
   * The commit: the first that inserts runs, claims runs, ends a run, hands a run back, records a task or step in a
   * state (`"b completed"`, `"sum/one completed"`), removes the runner, or records progress of a task. The start of a
   * slow body is not progress, because it is recorded at each attempt.
   */
  readonly of: "insert" | "claim" | "end" | "hand back" | "leave" | "record" | `${string} ${string}`;
}

/** Returns a store that calls `die`, which must not return, at a moment. */
export function mortalStore(store: Store, place: Place, { at, of }: Moment, die: () => never): Store {
  return {
    ...store,
    async commit(batch) {
      const isIt = isMoment(batch, of);
      if (isIt && at === "inside" && isPostgres(place)) {
        return await dieUnanswered({ place, of }, () => store.commit(batch), die);
      }
      if (isIt && at === "before") die();
      const receipt = await store.commit(isIt && at === "inside" ? deadlyBatch(batch, die) : batch);
      if (isIt && at === "after") die();
      return receipt;
    },
    async claim(request) {
      if (of !== "claim") return await store.claim(request);
      if (at === "inside" && isPostgres(place)) {
        return await dieUnanswered({ place, of }, () => store.claim(request), die);
      }
      if (at === "before") die();
      const claim = await store.claim(at === "inside" ? deadlyRequest(request, die) : request);
      if (at === "after" && claim.runs.length > 0) die();
      return claim;
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
    case "record":
      return batch.writes.some(({ records }) =>
        records.some(({ state, items }) => state !== "running" || items !== undefined)
      );
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

/** Returns a batch whose last write calls `die`. The store reads all records once before it writes. */
function deadlyBatch({ starts, writes }: Batch, die: () => never): Batch {
  let looks = 0;
  const trap: RunWrite = {
    seq: 0,
    epoch: 0,
    move: undefined,
    get records() {
      return ++looks > 1 ? die() : [];
    },
  };
  return { starts, writes: [...writes, trap] };
}

/** Returns a claim that calls `die` within the transaction, when the store assigns runs to the runner. */
function deadlyRequest(request: ClaimRequest, die: () => never): ClaimRequest {
  let looks = 0;
  const get = (): number => ++looks > 1 ? die() : request.runner;
  return Object.defineProperty({ ...request }, "runner", { get, enumerable: false });
}

/**
 * Row locks for statements that the driver sends in two parts the first time: a table lock would block the first part,
 * and the server would never receive the second.
 */
const LOCKS: ReadonlyMap<Moment["of"], string> = new Map([
  ["claim", "select id from runners for update"],
  ["end", "select seq from runs for update"],
]);

/** Sends a commit that a lock blocks, and calls `die` while it is blocked. */
async function dieUnanswered(
  { place, of }: { readonly place: Place; readonly of: Moment["of"] },
  commit: () => Promise<unknown>,
  die: () => never,
): Promise<never> {
  const locker = readPlace(place);
  await locker.query("begin");
  await locker.query(LOCKS.get(of) ?? "lock table runs, tasks in exclusive mode");
  commit().catch(() => {});
  const held = "select pid from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))";
  while ((await locker.query(held)).length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  return die();
}
