/** A parent and its child runs, whose runners are killed after each of their durable writes. */
import { assert, assertEquals } from "@std/assert";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import { openSite } from "./site.ts";
import { expected } from "./workflows.ts";

test("killing a runner after each durable write of a parent and its children repeats no work that has ended", async () => {
  await using site = await openSite();
  const { id } = await site.client.start("parent", { n: 5 });
  const run = site.client.get(id);
  let kills = 0;
  while ((await run.status()).endedAt === undefined && kills < 40) {
    const worker = site.worker({
      quiet: true,
      recoveryLimit: 1_000_000,
      moment: { at: "after", of: "record" },
      // Long enough that the engine records the body as running, as it would on a slow machine.
      hold: { grown: "slow" },
    });
    // A worker that finds all runs ended waits for another one until it is stopped.
    await within("a write", Promise.race([worker.exited, run.outcome()]));
    await site.kill(worker);
    kills++;
  }
  const outcome = await within("the end of the run", run.outcome());
  assertEquals(outcome.status === "completed" && outcome.result, expected("parent", 5).result);
  const children = await run.children();
  assertEquals(children.map(({ taskId, item, state }) => [taskId, item, state]), [
    ["eldest", undefined, "completed"],
    ["others", 0, "completed"],
    ["others", 1, "completed"],
    ["others", 2, "completed"],
  ]);
  // At least one write for the eldest, each other child, the expansion of the map and the end.
  assert(kills > 6, `${kills} kills`);
  const last = site.worker({ quiet: true });
  await last.until("ready");
  await site.stop(last);
  assertEquals(await site.wrong(), []);
});
