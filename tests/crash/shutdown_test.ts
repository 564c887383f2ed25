/** A runner in another process is stopped. */
import { assertEquals } from "@std/assert";
import { test } from "../harness.ts";
import { within } from "../within.ts";
import { openSite } from "./site.ts";

test("a stopping runner waits for running bodies and starts no others, and another runner continues", async () => {
  await using site = await openSite();
  const first = site.worker({ starts: [["chain", 1]], hold: { b: "slow" } });
  await first.until("holding b");
  await site.stop(first);
  const run = await site.client.start("chain", { n: 1 }, { key: "1" });
  assertEquals([site.begun(run.id), (await run.status()).state], [["a", "b"], "pending"]);
  const second = site.worker();
  assertEquals(await within("the run", run.result()), 7);
  assertEquals(site.begun(run.id), ["a", "b", "c"]);
  await site.stop(second);
  assertEquals(await site.wrong(), []);
});

for (const hold of ["heed", "deaf"] as const) {
  test(`bodies that do not finish within the drain timeout consume no attempt: ${hold}`, async () => {
    await using site = await openSite();
    const first = site.worker({ starts: [["chain", 1]], hold: { b: hold }, drain: "50ms" });
    await first.until("holding b");
    const second = site.worker();
    await second.until("ready");
    const { stdout } = await site.stop(first);
    assertEquals(/^aborted .*$/m.exec(stdout)?.[0], "aborted b ShutdownError");
    const run = await site.client.start("chain", { n: 1 }, { key: "1" });
    assertEquals(await within("the run", run.result()), 7);
    assertEquals(site.begun(run.id), ["a", "b", "b", "c"]);
    assertEquals((await run.tasks()).map(({ attempts }) => attempts), [1, 1, 1]);
    assertEquals((await run.status()).crashes, 0);
    await site.stop(second);
    assertEquals(await site.wrong(), []);
  });
}
