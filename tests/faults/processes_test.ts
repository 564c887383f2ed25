/** Runners that are killed, suspended or replaced; SLUICE_FAULT_SECONDS sets the duration. */
import { assertEquals } from "@std/assert";
import { randomTest } from "../harness.ts";
import type { Child } from "../child.ts";
import { databaseUrl } from "../postgres_server.ts";
import { within } from "../within.ts";
import { passes } from "../passes.ts";
import type { Random } from "../random.ts";
import { faultsGoOn, openSite, type Site } from "./site.ts";

// Started before any test, so that the leak sanitizer does not attribute the server to one.
const url = await databaseUrl();

randomTest("postgres: runners are killed at random under load, and others finish their runs", async (random) => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  const runners = [site.worker({ load: true }), site.worker(), site.worker()];
  await Promise.all([starter, ...runners].map(site.ready));
  const goesOn = faultsGoOn(3);
  for (let kills = 0; goesOn(kills); kills++) {
    await passes(50 + random.next() * 250);
    const at = random.below(runners.length);
    await site.kill(runners[at]!);
    runners[at] = site.worker({ load: at === 0 });
    // Sometimes killed before it is open.
    if (random.chance(0.7)) await site.ready(runners[at]);
  }
  await site.ready(runners[0]!);
  assertEquals(await site.finish(), []);
});

randomTest("postgres: runners suspended for longer than their lease write nothing afterwards", async (random) => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  const runners = [1, 2, 3].map(() => site.worker({ lease: "3s" }));
  // From the beginning: on a busy machine the lease of a runner that is not suspended may expire, too.
  for (const runner of runners) site.giveUp(runner);
  await Promise.all([starter, ...runners].map(site.ready));
  const goesOn = faultsGoOn(1);
  for (let freezes = 0; goesOn(freezes); freezes++) {
    // Two at once, so that the third has to recover many runs.
    const frozen = random.shuffled(runners).slice(1);
    for (const runner of frozen) runner.kill("SIGSTOP");
    const pids = frozen.map(({ pid }) => pid).join(",");
    await site.settled("the take-over", `select id from @runners where pid = any('{${pids}}') and not dead`);
    for (const runner of frozen) runner.kill("SIGCONT");
    for (const runner of frozen) {
      await within("to learn that its lease expired", runner.until("re-registered"));
    }
    await site.settled("to come back", `select 1 from @runners having count(*) <> ${runners.length}`);
  }
  assertEquals(await site.finish(), []);
});

randomTest("postgres: two runners are replaced repeatedly, and no body begins twice", async (random) => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  await site.ready(starter);
  await Promise.all([replace(site, random), replace(site, random)]);
  const last = site.worker();
  await site.ready(last);
  assertEquals([await site.finish(), site.repeated()], [[], []]);
});

/** Replaces a runner by another. */
async function replace(site: Site, random: Random): Promise<void> {
  const goesOn = faultsGoOn(2);
  let runner: Child = site.worker({ load: true });
  await site.ready(runner);
  for (let stops = 0; goesOn(stops); stops++) {
    await passes(random.next() * 300);
    const next = site.worker({ load: true });
    if (random.chance(0.5)) await site.ready(next);
    await site.ready(runner);
    await site.stop(runner);
    runner = next;
  }
  await site.ready(runner);
  await site.stop(runner);
}
