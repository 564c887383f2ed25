/**
 * A workflow with every kind of task, with an undo wherever that is possible, which fails at its end. It is used by the
 * test that kills a process after each durable write, and by that process.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { type AnyWorkflow, NonRetryableError, type TaskContext, unchecked, workflow } from "../../mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { pay, type Place, transactionOn } from "../transactions/place.ts";

/** A call of a body or an undo, or a marker for the death of the process. */
export interface Line {
  /** The unit, such as `pack/1/undo`. */
  readonly unit: string;
  /** Whether it has begun or ended. */
  readonly what: "began" | "ended";
}

/** Reads the calls of bodies and undos. */
export function readLines(log: string): readonly Line[] {
  if (!existsSync(log)) return [];
  return readFileSync(log, "utf8").split("\n").filter((line) => line !== "").map((line) => {
    const [what, unit] = line.split(" ");
    return { what, unit } as Line;
  });
}

/** Returns the workflows. Each body and undo that is not a transaction writes to the log when it begins and ends. */
export function everyKind(kind: Place["kind"], log: string): AnyWorkflow {
  const version = "1";
  const effect = (ctx: TaskContext, value: number): number => {
    // Without the id of the run: there is one run of each workflow.
    const unit = ctx.idempotencyKey.slice(ctx.runId.length + 1);
    appendFileSync(log, `began ${unit}\n`);
    appendFileSync(log, `ended ${unit}\n`);
    return value;
  };
  const undo = ({ ctx }: { readonly ctx: TaskContext }): void => void effect(ctx, 0);
  const shipping = workflow("shipping", { version, input: unchecked<number>() })
    .task("pick", { run: ({ input, ctx }) => effect(ctx, input), undo })
    .task("label", { after: ["pick"], run: ({ pick, ctx }) => effect(ctx, pick + 1), undo })
    .returns("label");
  return workflow("every", { version, input: unchecked<{ n: number }>() })
    .task("quote", { run: ({ input, ctx }) => effect(ctx, input.n), undo })
    .event("approval", { after: ["quote"], schema: unchecked<number>() })
    .task("pay", {
      after: ["quote", "approval"],
      retry: 1,
      ...transactionOn(kind),
      run: async ({ tx, quote, approval }) => {
        await pay(tx, "paid");
        return quote + approval;
      },
      undo: async ({ tx, output }) => await pay(tx, `refunded ${output}`),
    })
    .map("pack", {
      after: ["pay"],
      over: () => [1, 2, 3],
      concurrency: 2,
      run: ({ item, ctx }) => effect(ctx, item),
      undo,
    })
    .subworkflow("ship", { after: ["pack"], workflow: shipping, input: ({ pack }) => pack.length })
    .map("notify", { after: ["ship"], over: () => [7, 8], workflow: shipping, input: ({ item }) => item })
    .sleep("rest", { after: ["notify"], for: 1 })
    .task("call", {
      after: ["rest"],
      retry: { attempts: 2, delay: 1, jitter: false },
      run: ({ ctx }) => effect(ctx, 1),
      undo: ({ ctx }) => {
        effect(ctx, 1);
        if (ctx.attempt === 1) throw new Error("not yet");
      },
    })
    .task("close", {
      after: ["call"],
      run: () => {
        throw new NonRetryableError("closed for today");
      },
    });
}

/** Returns a store that calls `die` after a number of durable writes of its runner. */
export function dyingStore(store: Store, after: number, die: () => never): Store {
  let writes = 0;
  const count = (): void => void (++writes >= after && die());
  return {
    ...store,
    async commit(batch) {
      const receipt = await store.commit(batch);
      count();
      return receipt;
    },
    async claim(request) {
      const claim = await store.claim(request);
      if (claim.runs.length > 0) count();
      return claim;
    },
    async transact(request) {
      const verdict = await store.transact(request);
      count();
      return verdict;
    },
    async compensateChild(child, reason) {
      await store.compensateChild(child, reason);
      count();
    },
  };
}
