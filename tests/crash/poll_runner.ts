/** A runner with polls, which is killed at random moments, also during a check. */
import process from "node:process";
import { createRunner, poll, unchecked, workflow } from "../../mod.ts";
import { type RacerConfig, writeLine } from "./racers.ts";

/** The configuration of a process in a race for checks. */
export interface PollRacerConfig extends RacerConfig {
  /** The number of polls `p0`, `p1` … */
  readonly polls: number;
}

const { url, options, log, polls }: PollRacerConfig = JSON.parse(process.argv[2]!);

/** How many new elements a check finds; it also returns as many elements of the check before. */
const AT_ONCE = 2;

interface Found {
  readonly name: string;
  readonly key: string;
}

const work = workflow("work", { version: "1", input: unchecked<Found>() }).task("a", {
  run: ({ input: { name, key }, ctx: { runId } }) =>
    writeLine(log, { kind: "end", pid: process.pid, name, what: key, runId }),
});

const runner = await createRunner(url, {
  ...options,
  durability: "process",
  lease: "2s",
  workflows: [work],
  schedules: Array.from({ length: polls }, (_, at) => {
    const name = `p${at}`;
    return poll({
      name,
      workflow: work,
      every: "250ms",
      timeout: "2s",
      cursor: 0,
      async check({ cursor, signal }) {
        const line = { pid: process.pid, name, what: `check-${cursor}`, runId: "-" };
        writeLine(log, { kind: "begin", ...line });
        await new Promise((resolve) => setTimeout(resolve, 50));
        // Another process repeats an aborted check, and may begin before this one would have ended.
        signal.throwIfAborted();
        writeLine(log, { kind: "end", ...line });
        const first = Math.max(0, cursor - AT_ONCE);
        return Array.from({ length: cursor + AT_ONCE - first }, (_, at) => {
          const key = `${name}-${first + at}`;
          return { input: { name, key }, key, cursor: cursor + AT_ONCE };
        });
      },
    });
  }),
  recoveryLimit: 1_000_000,
  logger: false,
});
process.on("SIGTERM", () => void runner.stop({ timeout: "1s" }).then(() => process.exit(0)));
console.log("ready");
