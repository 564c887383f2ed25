/**
 * Repeats a test with a crash of its runner after each durable write.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** When the runners of a test crash. */
export interface CrashPlan {
  /** Counts a durable write; returns whether the runner is to crash after it. */
  isDue(method: string): boolean;
}

/** The plan of the test that is being repeated; each of its test runners follows it. */
export const crashes: AsyncLocalStorage<CrashPlan> = new AsyncLocalStorage();

/** A test that writes more often does not end, or is too long to be repeated for each write. */
const MOST_WRITES = 1_000;

/**
 * Runs a test once without a crash, and then once per durable write: the runner that the test opened with
 * `createTestRunner()` is killed after that write, and a new one is started at once. The test must pass in every state
 * in which a process can leave a run: bodies may be repeated, results may not be lost.
 *
 * Counted are the claims and commits by which a runner executes runs and fires schedules, not the writes of the test
 * itself, such as `start()`.
 *
 * @returns The number of writes, which is the number of crashes.
 * @throws {Error} If the test fails; the message says after which write, and `cause` is the error of the test.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { workflow } from "@sluice/sluice";
 * import { crashAtEveryWrite, createTestRunner } from "@sluice/sluice/testing";
 *
 * const charged = new Set<string>();
 * const order = workflow("order")
 *   .task("price", { run: () => 10 })
 *   .task("charge", { after: ["price"], run: ({ ctx }) => void charged.add(ctx.idempotencyKey) });
 *
 * const crashed = await crashAtEveryWrite(async () => {
 *   charged.clear();
 *   await using runner = await createTestRunner({ workflows: [order] });
 *   assertEquals((await runner.execute(order)).status, "completed");
 *   assertEquals(charged.size, 1); // a key that is the same for each attempt makes it once
 * });
 * assertEquals(crashed, 3); // a claim, a result, and a result with the end of the run
 * ```
 */
export async function crashAtEveryWrite(test: () => Promise<void> | void): Promise<number> {
  const all = await attempt(test, Infinity);
  if (all.length === 0) {
    throw new Error("Cannot crash at every write: the test opened no test runner that wrote anything");
  }
  for (let after = 1; after <= MOST_WRITES; after++) {
    const writes = await attempt(test, after);
    // The writes of one time need not be those of another: it ends before the crash once there are none left.
    if (writes.length < after) return after - 1;
  }
  throw new Error(`Cannot crash at every write: the test makes more than ${MOST_WRITES}`);
}

/** Runs the test with a crash after one write; returns the methods of its writes. */
async function attempt(test: () => Promise<void> | void, crashAfter: number): Promise<readonly string[]> {
  const writes: string[] = [];
  const plan: CrashPlan = { isDue: (method) => writes.push(method) === crashAfter };
  try {
    await crashes.run(plan, async () => await test());
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const when = writes.length >= crashAfter
      ? `with a crash after write ${crashAfter} (${writes[crashAfter - 1]})`
      : "without a crash";
    throw new Error(`The test fails ${when}: ${message}`, { cause });
  }
  return writes;
}
