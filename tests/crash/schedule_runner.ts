/** A runner with one schedule, which is killed at any moment. */
import process from "node:process";
import { createRunner, type Overlap, schedule, workflow } from "../../mod.ts";

const { url, options, overlap, everyMs } = JSON.parse(process.argv[2]!) as {
  readonly url: string;
  readonly options: { readonly schema?: string };
  readonly overlap: Overlap;
  readonly everyMs: number;
};

// Longer than the interval, so that runs overlap.
const work = workflow("work", { version: "1" }).sleep("wait", { for: 2.5 * everyMs }).task("a", {
  after: ["wait"],
  run: () => 1,
});
const raced = schedule({ name: "raced", workflow: work, every: everyMs, overlap, catchUp: "all", maxCatchUp: 10_000 });
const runner = await createRunner(url, {
  ...options,
  durability: "process",
  lease: "2s",
  workflows: [work],
  schedules: [raced],
  recoveryLimit: 1_000_000,
  logger: false,
});
process.on("SIGTERM", () => void runner.stop({ timeout: "1s" }).then(() => process.exit(0)));
console.log("ready");
