/** The commands about schedules, on each store. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createRunner, schedule, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { ground, KINDS } from "../inspector/ground.ts";
import { type Printed, sluice, tenantOf } from "./terminal.ts";

const greet = workflow("greet", { input: unchecked<string>() }).task("hello", { run: ({ input }) => input });
const daily = schedule({ name: "daily", workflow: greet, cron: "0 3 * * *", timeZone: "Europe/Berlin", input: "x" });
const hourly = schedule({ name: "hourly", workflow: greet, every: "1h", input: ({ tick }) => String(tick) });

for (const kind of KINDS) {
  test(`${kind}: schedules are listed, paused, resumed, triggered and backfilled from the command line`, async () => {
    await using on = ground(kind);
    await using runner = await createRunner(await on.open(), { workflows: [greet], schedules: [daily, hourly] });
    const call = (verb: string, ...args: string[]): Promise<Printed> =>
      sluice(["schedules", verb, on.url, ...args, ...tenantOf(on)]);
    const { out } = await call("list");
    const lines = out.split("\n").map((line) => line.split(/ {2,}/));
    assertEquals(lines[0]?.slice(0, 4), ["SCHEDULE", "STATE", "RULE", "WORKFLOW"]);
    assertEquals(lines.slice(1).map((line) => line.slice(0, 4)), [
      ["daily", "active", "0 3 * * * Europe/Berlin", "greet"],
      ["hourly", "active", "every 3600000 ms", "greet"],
    ]);
    assertEquals((await call("pause", "daily")).out, 'Schedule "daily" is now paused.');
    assertEquals((await runner.schedules.get("daily")).pausedBy, "user");
    assertEquals((await call("resume", "daily", "--json")).out, '{"name":"daily","state":"active"}');

    const { runId } = JSON.parse((await call("trigger", "daily", "--json")).out);
    assertEquals(await runner.get(runId).result(), { hello: "x" });
    const refused = await call("trigger", "hourly");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "its input is a function");

    const period = ["--from=2026-01-01", "--to=2026-01-04"];
    const unconfirmed = await call("backfill", "daily", ...period);
    assertEquals([unconfirmed.code, unconfirmed.out], [2, ""]);
    assertStringIncludes(unconfirmed.err, "confirm it with --yes");
    assertEquals(
      (await call("backfill", "daily", ...period, "--yes")).out,
      '3 runs of schedule "daily" are started; 0 ticks had one.',
    );
    assertEquals(JSON.parse((await call("backfill", "daily", ...period, "--yes", "--json")).out), {
      started: 0,
      existing: 3,
    });
    const unknown = await call("pause", "dayly");
    assertEquals(unknown.code, 1);
    assertStringIncludes(unknown.err, 'has no schedule of that name (did you mean "daily"?)');
    assert((await call("list", "--json")).out.startsWith('{"schedules":[{"name":"daily"'));
  });
}
