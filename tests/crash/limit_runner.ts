/** A runner of workflows with limits, which is killed at random moments. */
import process from "node:process";
import { createRunner } from "../../mod.ts";
import { limitWorkflows } from "./limit_race.ts";
import type { RacerConfig } from "./racers.ts";

const { url, options, log }: RacerConfig = JSON.parse(process.argv[2]!);

const runner = await createRunner(url, {
  ...options,
  durability: "process",
  // Killed processes are detected without the lease. A process that is only slow must not lose its bodies.
  lease: "1m",
  workflows: Object.values(limitWorkflows(log)),
  recoveryLimit: 1_000_000,
  logger: false,
});
process.on("SIGTERM", () => void runner.stop({ timeout: "1s" }).then(() => process.exit(0)));
console.log("ready");
