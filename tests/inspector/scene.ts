import type { Inspectable } from "../../lib/inspector/mod.ts";
import { createRunner, dynamicWorkflow, type Runner, unchecked, workflow } from "../../mod.ts";
import { until } from "../within.ts";

/** A runner with something of everything that the inspector shows. */
export interface Scene extends AsyncDisposable {
  /** The runner. */
  readonly runner: Inspectable & Pick<Runner<never>, "list">;
  /** Ids of runs by what is special about them. */
  readonly runs: Readonly<
    Record<
      "done" | "failed" | "fan" | "large" | "held" | "retrying" | "paused" | "cancelled" | "map" | "children",
      string
    >
  >;
  /** Lets the run that is held, and all that are like it, finish. */
  release(): void;
  /** Starts one more run that completes at once. */
  another(): Promise<string>;
}

/** What a user may call things who means ill. */
export const HOSTILE = `"><img src=x onerror="globalThis.taken=1"></script><script>taken=1</script>\u202e`;

/** Opens a scene. `paceMs` is about how long a task takes; without `isTidy` it contains hostile data. */
export async function openScene({ paceMs = 4, isTidy = false, url = "sqlite::memory:" } = {}): Promise<Scene> {
  const gate = Promise.withResolvers<void>();
  const runner = await createRunner(url, {
    workflows: [
      prices(paceMs),
      settlement(paceMs),
      thumbnails(paceMs),
      warehouse(paceMs),
      upload(gate.promise),
      poller,
      odd,
      converted(paceMs),
      deliveries,
      delivery,
    ],
    concurrency: 16,
  });

  const large = await runner.execute("warehouse-sync");
  const fan = await runner.execute("thumbnails");
  const map = await runner.execute("conversion");
  const children = await runner.start("deliveries");
  if (!isTidy) await runner.execute(HOSTILE, { [HOSTILE]: HOSTILE }, { tags: [HOSTILE], key: HOSTILE });
  const cancelled = await runner.start("upload");
  await cancelled.cancel("the customer withdrew");
  await cancelled.outcome();
  const failed = await runner.execute("settlement", { day: "2026-11-22" });
  const done = await runner.execute("prices", { url: "https://example.org/prices.csv" }, { tags: ["eu"] });
  const paused = await runner.start("poller");
  await paused.pause("the endpoint is down for maintenance");
  const retrying = await runner.start("poller");
  await runner.start("prices", { url: "https://example.org/backfill.csv" }, { delay: "3h", key: "2026-11-24" });
  const held = await runner.start("upload", undefined, { tags: ["eu", "nightly"] });
  await until(async () => (await retrying.tasks())[0]?.state === "waiting" && await isHeld(held));
  await until(async () => (await children.tasks())[0]?.items?.waiting === 3);
  return {
    runner,
    runs: {
      done: done.runId,
      failed: failed.runId,
      fan: fan.runId,
      large: large.runId,
      held: held.id,
      retrying: retrying.id,
      paused: paused.id,
      cancelled: cancelled.id,
      map: map.runId,
      children: children.id,
    },
    release: () => gate.resolve(),
    another: async () => (await runner.execute("prices", { url: "https://example.org/more.csv" })).runId,
    [Symbol.asyncDispose]: async () => {
      gate.resolve();
      await runner.stop();
    },
  };
}

async function isHeld(run: { tasks(): Promise<readonly { state: string; progress: unknown }[]> }): Promise<boolean> {
  return (await run.tasks()).some(({ state, progress }) => state === "running" && progress !== undefined);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function prices(paceMs: number) {
  return workflow("prices", {
    description: "Loads the prices of the day into the warehouse",
    input: unchecked<{ url: string }>(),
    tags: ["prices"],
  })
    .task("extract", {
      retry: { attempts: 5, delay: paceMs * 2, jitter: false },
      async run({ input, ctx }) {
        await pause(paceMs);
        if (ctx.attempt < 3) {
          throw new TypeError(`fetch failed: ${input.url}`, { cause: new Error("connect ECONNREFUSED 10.0.0.7:443") });
        }
        return { rows: [1, 2, 3], etag: "33a64df5" };
      },
    })
    .task("currencies", { run: () => pause(paceMs * 2).then(() => ({ EUR: 1, USD: 1.08 })) })
    .task("transform", {
      after: ["extract", "currencies"],
      async run({ extract, currencies, ctx }) {
        for (const row of extract.rows) {
          await ctx.step(`row ${row}`, () => pause(paceMs / 2).then(() => row * currencies.USD));
          ctx.progress(row, extract.rows.length);
        }
        return extract.rows.length;
      },
    })
    .task("validate", { after: ["extract"], run: () => pause(paceMs).then(() => true) })
    .task("load", {
      after: ["transform", "validate"],
      timeout: "30s",
      run: () => pause(paceMs).then(() => ({ written: 3 })),
    })
    .task("page-someone", { after: ["load"], on: "anyFailed", run: () => "paged" })
    .task("report", { after: ["load"], when: ({ load }) => load !== undefined, run: () => "sent" })
    .returns("load");
}

function settlement(paceMs: number) {
  return workflow("settlement", { input: unchecked<{ day: string }>() })
    .task("collect", { run: () => pause(paceMs).then(() => ({ payments: 1_204 })) })
    .task("charge", {
      after: ["collect"],
      retry: { attempts: 2, delay: paceMs * 3, jitter: false },
      async run() {
        await pause(paceMs);
        throw new Error("the card network answered 502", { cause: new Error("upstream timed out after 30 s") });
      },
    })
    .task("ship", { after: ["charge"], run: () => 1 })
    .task("tell-support", { after: ["charge"], on: "settled", run: () => pause(paceMs).then(() => "sent") });
}

function thumbnails(paceMs: number) {
  const resizes = Array.from({ length: 100 }, (_, i) => `resize-${i + 1}`);
  return dynamicWorkflow({
    name: "thumbnails",
    tasks: [
      { id: "list", run: () => pause(paceMs) },
      ...resizes.map((id, i) => ({
        id,
        after: ["list"],
        retry: 1,
        async run() {
          await pause(paceMs * (1 + (i * 37) % 5));
          if (i % 33 === 7) throw new Error(`image ${i} is no image`);
          return { width: 320 };
        },
      })),
      { id: "contact-sheet", after: resizes, on: "settled" as const, run: () => pause(paceMs) },
    ],
  });
}

/** Thirty tasks in a graph that a generator of random numbers made. */
function warehouse(paceMs: number) {
  const [verbs, nouns] = [["load", "map", "join", "sum", "check"], ["users", "orders", "items", "stock", "prices"]];
  let state = 30;
  const below = (limit: number): number => (state = (state * 48_271) % 2_147_483_647) % limit;
  const ids = Array.from({ length: 30 }, (_, i) => `${verbs[below(5)]}-${nouns[below(5)]}-${i}`);
  return dynamicWorkflow({
    name: "warehouse-sync",
    description: "Brings the warehouse up to date",
    tasks: ids.map((id, i) => ({
      id,
      after: [
        ...new Set(
          Array.from({ length: i === 0 ? 0 : below(3) }, () => ids[Math.max(0, i - 1 - below(Math.min(i, 8)))]!),
        ),
      ],
      run: () => pause(paceMs * (1 + i % 4)),
    })),
  });
}

function upload(released: Promise<void>) {
  return workflow("upload")
    .task("compress", { run: () => ({ bytes: 48_000_000 }) })
    .task("send", {
      after: ["compress"],
      async run({ ctx }) {
        ctx.progress(17, 48, "parts");
        const aborted = new Promise((_, reject) =>
          ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason))
        );
        await Promise.race([released, aborted]);
        return "etag-1";
      },
    })
    .task("verify", { after: ["send"], run: () => true });
}

function converted(paceMs: number) {
  return workflow("conversion").map("files", {
    over: () => Array.from({ length: 120 }, (_, i) => `photo-${i}.png`),
    concurrency: 16,
    retry: { attempts: 2, delay: paceMs, jitter: false },
    onItemFailure: "collect",
    async run({ item, index, ctx }) {
      await pause(paceMs / 4);
      if (index % 30 === 17) throw new Error(`${item} is no image`);
      if (index % 24 === 5 && ctx.attempt === 1) throw new Error("the disk is busy");
      return { file: item.replace("png", "webp") };
    },
  });
}

const delivery = workflow("delivery").event("received", { schema: unchecked<string>() }).returns("received");

const deliveries = workflow("deliveries").map("parcels", {
  over: () => ["a", "b", "c", "d"],
  concurrency: 3,
  workflow: delivery,
});

const poller = workflow("poller")
  .task("probe", {
    retry: { attempts: 10, delay: "1h", maxDelay: "1h", jitter: false },
    run() {
      throw new Error("not there yet");
    },
  })
  .task("use", { after: ["probe"], run: () => 1 });

const odd = dynamicWorkflow({
  name: HOSTILE,
  description: HOSTILE,
  tasks: [
    { id: HOSTILE, run: () => ({ [HOSTILE]: HOSTILE }) },
    {
      id: "bad",
      after: [HOSTILE],
      retry: 1,
      run() {
        throw new Error(HOSTILE, { cause: new Error(HOSTILE) });
      },
    },
    { id: "after-it", after: ["bad"], run: () => 1 },
  ],
});
