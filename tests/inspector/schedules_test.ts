/** The page of schedules, on either store. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { SchedulesPage } from "../../lib/inspector/schedule_shape.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { createRunner, schedule, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { emptyStore } from "../empty_store.ts";
import { ask } from "./ground.ts";

const T0 = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

test("the page of schedules shows next and past ticks, what became of them, and errors", async () => {
  await using place = emptyStore("memory");
  const clock = createFakeClock();
  const slow = workflow("slow").sleep("wait", { for: "150s" }).task("a", { after: ["wait"], run: () => 1 });
  const schedules = [
    schedule({ name: "minutely", workflow: slow, every: "1m" }),
    schedule({
      name: "broken",
      workflow: slow,
      cron: "0 * * * *",
      timeZone: "Europe/Berlin",
      input(): undefined {
        throw new Error("no <input>");
      },
    }),
  ];
  const runner = await createRunner(place.url, {
    ...place.options,
    clock,
    logger: false,
    workflows: [slow],
    schedules,
  });
  try {
    await clock.advance("61m");
    const asked = ask(runner);
    const page: SchedulesPage = await (await asked("/api/schedules")).json();
    const [broken, minutely] = page.schedules;
    assertEquals([page.schedules.length, page.hasMore], [2, false]);
    assertEquals([broken?.rule, broken?.error], ["0 * * * * Europe/Berlin", "Error: no <input>"]);
    assertEquals(broken?.next, [2, 3, 4].map((hour) => T0 + hour * 60 * MINUTE));
    assertEquals([minutely?.rule, minutely?.isPaused, minutely?.queued], ["every 60000 ms", false, 0]);
    assertEquals(minutely?.next[0], T0 + 62 * MINUTE);
    assertEquals(minutely?.past.map(({ at, outcome }) => [(at - T0) / MINUTE, outcome]), [
      [61, "started"],
      [60, "overlapped"],
      [59, "overlapped"],
      [58, "started"],
      [57, "overlapped"],
    ]);
    assertEquals(minutely?.past[0]?.run?.state, "waiting");
    assertEquals(minutely?.counts, { started: 21, overlapped: 40, missed: 0, failed: 0 });
    const html = await (await asked("/schedules")).text();
    for (const part of ["minutely", "overlapped", "no &lt;input&gt;", minutely!.past[0]!.run!.id]) {
      assertStringIncludes(html, part);
    }
    const metrics = await (await asked("/metrics")).text();
    assert(metrics.includes('sluice_schedule_ticks_total{schedule="minutely",outcome="overlapped"} 40'), metrics);
    assert(metrics.includes('sluice_schedule_next_seconds{schedule="minutely"} 60'), metrics);
    assert(metrics.includes('sluice_schedules{state="active"} 2'), metrics);
    assert(metrics.includes("sluice_schedule_lateness_seconds_count 21"), metrics);
  } finally {
    await clock.until(runner.stop());
  }
});
