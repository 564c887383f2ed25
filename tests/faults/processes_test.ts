/** Runners that are killed, stopped in their tracks, or replaced; SLUICE_FAULT_SECONDS says for how long. */
import { assert, assertEquals } from "@std/assert";
import type { Child } from "../child.ts";
import { test } from "../harness.ts";
import { databaseUrl } from "../postgres_server.ts";
import { FAULTS_MS, openSite, passes, type Site, within } from "./site.ts";

// Before any test, so that none of them is held to have left the server behind.
const url = await databaseUrl();

test("postgres: runners are killed at random under load, and others end what they held", async () => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  const runners = [site.worker({ load: true }), site.worker(), site.worker()];
  await Promise.all([starter, ...runners].map(site.ready));
  let kills = 0;
  for (const until = performance.now() + FAULTS_MS; performance.now() < until; kills++) {
    await passes(50 + Math.random() * 250);
    const at = Math.floor(Math.random() * runners.length);
    await site.kill(runners[at]!);
    runners[at] = site.worker({ load: at === 0 });
    // Now and then killed before it is even open.
    if (Math.random() < 0.7) await site.ready(runners[at]);
  }
  assert(kills >= 3, `${kills}`);
  await site.ready(runners[0]!);
  assertEquals(await site.finish(), []);
});

test("postgres: runners that stand still for longer than their lease write nothing late", async () => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  const runners = [1, 2, 3].map(() => site.worker({ lease: "1s" }));
  await Promise.all([starter, ...runners].map(site.ready));
  for (const until = performance.now() + FAULTS_MS; performance.now() < until;) {
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
      await within(10_000, "to learn that it was taken for dead", runner.until("taken for dead"));
    }
    await site.settled("to come back", `select 1 from @runners having count(*) <> ${runners.length}`);
  }
  assertEquals(await site.finish(), []);
});

test("postgres: two runners are replaced all the time, and nothing is begun twice", async () => {
  await using site = await openSite(url);
  const starter = site.worker({ clientOnly: true, load: true });
  await site.ready(starter);
  const stops = await Promise.all([replace(site), replace(site)]);
  assert(stops.every((count) => count >= 2), `${stops}`);
  const last = site.worker();
  await site.ready(last);
  assertEquals([await site.finish(), site.repeated()], [[], []]);
});

/** Lets one runner follow another; answers how many there were. */
async function replace(site: Site): Promise<number> {
  let stops = 0;
  let runner: Child = site.worker({ load: true });
  await site.ready(runner);
  for (const until = performance.now() + FAULTS_MS; performance.now() < until; stops++) {
    await passes(Math.random() * 300);
    const next = site.worker({ load: true });
    if (Math.random() < 0.5) await site.ready(next);
    await site.ready(runner);
    await site.stop(runner);
    runner = next;
  }
  await site.ready(runner);
  await site.stop(runner);
  return stops;
}
