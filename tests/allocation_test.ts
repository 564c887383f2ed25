/**
 * How much garbage a short run makes: the number of bytes that are allocated for it, which is nearly the same on every
 * machine, as its time is not. Deno only: Bun cannot count them.
 */
import { assert, assertEquals } from "@std/assert";
import { Session } from "node:inspector";
import { createRunner, workflow } from "../mod.ts";
import { skipped, test } from "./harness.ts";

/** 13.8 KB in November 2026. */
const MOST_BYTES = 15_000;

const WARM_UP = 6_000;
const RUNS = 3_000;

const NAME = "a chain of three tasks leaves at most 15 KB to the garbage collector";
if ("Deno" in globalThis) test(NAME, measure);
else skipped(NAME, "Bun does not count allocations");

async function measure(): Promise<void> {
  const chain = workflow("chain")
    .task("a", { run: () => 1 })
    .task("b", { after: ["a"], run: ({ a }) => a + 1 })
    .task("c", { after: ["b"], run: ({ b }) => b + 1 })
    .returns("c");
  await using runner = await createRunner("sqlite::memory:", { workflows: [chain], logger: false });
  await execute(WARM_UP);
  const bytes = await allocated(() => execute(RUNS)) / RUNS;
  assert(bytes <= MOST_BYTES, `${Math.round(bytes)} bytes`);

  async function execute(runs: number): Promise<void> {
    let left = runs;
    let completed = 0;
    await Promise.all(Array.from({ length: 500 }, async () => {
      while (left-- > 0) {
        const outcome = await runner.execute(chain);
        if (outcome.status === "completed" && outcome.result === 3) completed++;
      }
    }));
    assertEquals(completed, runs);
  }
}

interface Node {
  readonly selfSize: number;
  readonly children: readonly Node[];
}

/** Samples all allocations, those of objects that are collected meanwhile included. */
async function allocated(work: () => Promise<void>): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    await post(session, "HeapProfiler.enable");
    await post(session, "HeapProfiler.startSampling", {
      samplingInterval: 512,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
    await work();
    const { profile } = await post(session, "HeapProfiler.stopSampling") as {
      readonly profile: { readonly head: Node };
    };
    return sizeOf(profile.head);
  } finally {
    session.disconnect();
  }
}

function post(session: Session, method: string, params: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) =>
    session.post(method, params, (error, result) => error === null ? resolve(result) : reject(error))
  );
}

function sizeOf({ selfSize, children }: Node): number {
  return children.reduce((sum, child) => sum + sizeOf(child), selfSize);
}
