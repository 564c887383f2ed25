/** Runners that are killed, stopped in their tracks, or replaced; SLUICE_FAULT_SECONDS says for how long. */
import { assertEquals } from "@std/assert";
import type { Child } from "../child.ts";
import { test } from "../harness.ts";
import { databaseUrl } from "../postgres_server.ts";
import { within } from "../within.ts";
import { passes } from "../passes.ts";
import { faultsGoOn, openSite, type Site } from "./site.ts";

// Before any test, so that none of them is held to have left the server behind.
const url = await databaseUrl();

test("postgres: runners are killed at random under load, and others end what they held", async () => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  const runners = [site.worker({ load: true }), site.worker(), site.worker()];
  await Promise.all([starter, ...runners].map(site.ready));
  const goesOn = faultsGoOn(3);
  for (let kills = 0; goesOn(kills); kills++) {
    await passes(50 + Math.random() * 250);
    const at = Math.floor(Math.random() * runners.length);
    await site.kill(runners[at]!);
    runners[at] = site.worker({ load: at === 0 });
    // Now and then killed before it is even open.
    if (Math.random() < 0.7) await site.ready(runners[at]);
  }
  await site.ready(runners[0]!);
  assertEquals(await site.finish(), []);
});

test("postgres: runners that stand still for longer than their lease write nothing late", async () => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  const runners = [1, 2, 3].map(() => site.worker({ lease: "3s" }));
  await Promise.all([starter, ...runners].map(site.ready));
  const goesOn = faultsGoOn(1);
  for (let freezes = 0; goesOn(freezes); freezes++) {
    // Two at once, so that the third has much to do.
    const frozen = [...runners].sort(() => Math.random() - 0.5).slice(1);
    for (const runner of frozen) {
      site.giveUp(runner);
      runner.kill("SIGSTOP");
    }
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

test("postgres: two runners are replaced all the time, and nothing is begun twice", async () => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  await site.ready(starter);
  await Promise.all([replace(site), replace(site)]);
  const last = site.worker();
  await site.ready(last);
  assertEquals([await site.finish(), site.repeated()], [[], []]);
});

/** Lets one runner follow another. */
async function replace(site: Site): Promise<void> {
  const goesOn = faultsGoOn(2);
  let runner: Child = site.worker({ load: true });
  await site.ready(runner);
  for (let stops = 0; goesOn(stops); stops++) {
    await passes(Math.random() * 300);
    const next = site.worker({ load: true });
    if (Math.random() < 0.5) await site.ready(next);
    await site.ready(runner);
    await site.stop(runner);
    runner = next;
  }
  await site.ready(runner);
  await site.stop(runner);
}
