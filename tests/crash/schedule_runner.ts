/** A runner with schedules, which is killed at random moments. */
import process from "node:process";
import type { CatchUp, Overlap } from "../../lib/definition/schedule.ts";
import { createRunner, schedule, type TaskContext, unchecked, workflow } from "../../mod.ts";
import { type RacerConfig, writeLine } from "./racers.ts";

/** The configuration of a process in a race for ticks. */
export interface ScheduleRacerConfig extends RacerConfig {
  /** The number of schedules `s0`, `s1` …, whose ticks are spread evenly over the interval. */
  readonly schedules: number;
  readonly everyMs: number;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  /** The minimum duration of a run, in milliseconds. */
  readonly workMs: number;
}

const { url, options, log, schedules, everyMs, overlap, catchUp, workMs }: ScheduleRacerConfig = JSON.parse(
  process.argv[2]!,
);

interface Due {
  readonly name: string;
  readonly tick: number;
}
const writeEffect = (kind: "begin" | "end") =>
({ input: { name, tick }, ctx: { runId } }: {
  readonly input: Due;
  readonly ctx: TaskContext;
}): void => writeLine(log, { kind, pid: process.pid, name, what: String(tick), runId });

const work = workflow("work", { version: "1", input: unchecked<Due>() })
  .task("begin", { run: writeEffect("begin") })
  .sleep("wait", { after: ["begin"], for: workMs })
  .task("end", { after: ["wait"], run: writeEffect("end") });

const runner = await createRunner(url, {
  ...options,
  durability: "process",
  lease: "2s",
  workflows: [work],
  schedules: Array.from({ length: schedules }, (_, at) => {
    const name = `s${at}`;
    return schedule({
      name,
      workflow: work,
      every: everyMs,
      startAt: Math.floor(at * everyMs / schedules),
      overlap,
      catchUp,
      maxCatchUp: 10_000,
      input: ({ tick }) => ({ name, tick }),
    });
  }),
  recoveryLimit: 1_000_000,
  logger: false,
});
process.on("SIGTERM", () => void runner.stop({ timeout: "1s" }).then(() => process.exit(0)));
console.log("ready");
