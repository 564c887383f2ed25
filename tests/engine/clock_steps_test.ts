/** A wall clock that is set while a body runs: durations are measured by the monotonic clock. */
import { assert, assertEquals } from "@std/assert";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { metricsOf } from "../../lib/engine/client/client_context.ts";
import { createRunner, workflow } from "../../mod.ts";
import { test } from "../harness.ts";

const HOUR_MS = 3_600_000;

for (const [how, stepMs] of [["forward", HOUR_MS], ["back", -HOUR_MS]] as const) {
  test(`a clock that is set ${how} during a body does not change the measured duration of the task`, async () => {
    let offsetMs = 0;
    const clock: Clock = { ...systemClock, now: () => Date.now() + offsetMs };
    const flow = workflow("flow").task("a", {
      async run() {
        offsetMs += stepMs;
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
    });
    await using runner = await createRunner("sqlite::memory:", { workflows: [flow], clock });
    assertEquals((await runner.execute(flow)).status, "completed");
    const [task] = metricsOf(runner)!.workflows[0]!.tasks;
    const { count, sum } = task!.seconds;
    assert(count === 1 && sum >= 0.015 && sum < 60, `${sum} s`);
  });
}
