// Every construct that there is, as people write it. Nothing here runs: that it compiles is the test.
import { z } from "zod";
import { unchecked } from "../../lib/definition/schema.ts";
import { workflow } from "../../lib/definition/workflow.ts";

// Outputs are returned and arrive as arguments; an ancestor is named to be read.
export const etl = workflow("etl", {
  description: "Loads prices",
  input: z.object({ url: z.string(), limit: z.number().default(100) }),
  tags: ["nightly"],
  timeout: "1h",
})
  .task("extract", { run: ({ input }) => Promise.resolve([{ id: 1, price: input.url.length }]) })
  .task("transform", {
    after: ["extract"],
    run: ({ extract, input }) => extract.slice(0, input.limit).map((row) => ({ ...row, cents: row.price * 100 })),
  })
  .task("load", {
    after: ["extract", "transform"],
    run: ({ extract, transform }) => ({ read: extract.length, written: transform.length }),
  })
  .returns("load");

// Policies and hooks.
const isTransient = (error: unknown) => /timeout|connection|reset/i.test(String(error));
export const flaky = workflow("flaky", { version: "3" })
  .task("call", {
    retry: { attempts: 4, delay: "1s", backoff: "exponential", maxDelay: "30s", jitter: false, retryIf: isTransient },
    timeout: "10s",
    run: ({ ctx }) => ({ ok: true, attempt: ctx.attempt }),
    onSuccess: ({ output, ctx }) => ctx.log.info("called", { attempts: output.attempt }),
    onFailure: ({ error, ctx }) => ctx.log.error("gave up", { error }),
  })
  .task("once", { retry: 1, version: "2", run: () => null });

// Triggers and conditions.
export const resilient = workflow("resilient", { input: unchecked<{ down: boolean }>() })
  .task("fetch", {
    run: ({ input }) => {
      if (input.down) throw new Error("503");
      return { source: "live", quality: 90 };
    },
  })
  .task("cached", { after: ["fetch"], on: "anyFailed", run: () => ({ source: "cache", quality: 60 }) })
  .task("process", {
    after: ["fetch", "cached"],
    on: "settled",
    run: ({ fetch, cached }) => {
      const data = fetch ?? cached;
      if (!data) throw new Error("no data at all");
      return { score: data.quality, source: data.source };
    },
  })
  .task("premium", {
    after: ["process"],
    when: ({ process }) => process.score > 80,
    run: ({ process }) => ({ path: "premium", score: process.score }),
  })
  .task("basic", {
    after: ["process"],
    when: ({ process }) => Promise.resolve(process.score <= 80),
    run: ({ process }) => ({ path: "basic", score: process.score }),
  })
  .task("report", { after: ["premium", "basic"], run: ({ premium, basic }) => (premium ?? basic)?.path ?? "none" })
  .task("audit", {
    after: ["fetch", "premium"],
    on: "settled",
    when: ({ status }) => status.fetch === "failed" || status.premium === "skipped",
    run: ({ status }) => ({ ...status }),
  })
  .returns("report");

// A result once chosen stays chosen.
export const extended = resilient.task("notify", { after: ["report"], run: ({ report }) => report.length });
