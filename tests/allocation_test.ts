/**
 * The bytes that a short run allocates, and those that it retains while it is in memory. Unlike times they are nearly
 * the same on every machine. Deno only, because Bun cannot count allocations.
 */
import { assert, assertEquals } from "@std/assert";
import { Session } from "node:inspector";
import process from "node:process";
import { createRunner, workflow } from "../mod.ts";
import { skipped, test } from "./harness.ts";
import { until } from "./within.ts";

/** The limit of allocated bytes per run; 11.8 KB were measured in November 2026. */
const MOST_BYTES = 13_000;

/** The limit of retained bytes per run; 3.8 KB were measured in November 2026. */
const MOST_HELD_BYTES = 4_100;

const WARM_UP = 6_000;
const RUNS = 3_000;

const NAME = "a chain of three tasks leaves at most 13 KB to the garbage collector";
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

const HELD = "a run of three tasks of which one is running holds at most 4.1 KB";
if ("Deno" in globalThis) test(HELD, measureHeld);
else skipped(HELD, "Bun does not count allocations");

async function measureHeld(): Promise<void> {
  let gate = Promise.resolve();
  let waiting = 0;
  const chain = workflow("chain")
    .task("a", { run: () => 1 })
    .task("b", {
      after: ["a"],
      async run({ a }) {
        waiting++;
        await gate;
        return a + 1;
      },
    })
    .task("c", { after: ["b"], run: ({ b }) => b + 1 })
    .returns("c");
  const limits = { concurrency: RUNS, maxRuns: RUNS };
  await using runner = await createRunner("sqlite::memory:", { workflows: [chain], logger: false, ...limits });
  // Compiles the code first, because it is retained, too.
  await execute(RUNS);
  const before = await heldBytes();
  const opened = Promise.withResolvers<void>();
  gate = opened.promise;
  waiting = 0;
  const running = execute(RUNS);
  await until(() => waiting === RUNS);
  const bytes = (await heldBytes() - before) / RUNS;
  opened.resolve();
  await running;
  assert(bytes <= MOST_HELD_BYTES, `${Math.round(bytes)} bytes`);

  async function execute(runs: number): Promise<void> {
    const outcomes = await Promise.all(Array.from({ length: runs }, () => runner.execute(chain)));
    assertEquals(outcomes.filter(({ status }) => status === "completed").length, runs);
  }
}

/** Returns the size of all reachable objects in bytes. */
async function heldBytes(): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    await post(session, "HeapProfiler.collectGarbage");
    return process.memoryUsage().heapUsed;
  } finally {
    session.disconnect();
  }
}

interface Node {
  readonly selfSize: number;
  readonly children: readonly Node[];
}

/** Samples all allocations, including those of objects that are collected meanwhile. */
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
