/** `sluice check`: planted damage is found, on each store. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { createRunner, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { type Ground, ground, KINDS } from "../inspector/ground.ts";
import { readPlace } from "../place.ts";
import { type Printed, sluice, tenantOf } from "./terminal.ts";

const greet = workflow("greet").task("hello", { run: () => "hello" });

/** Damage, and what is said of it. */
const DAMAGE: readonly (readonly [sql: string, problem: string])[] = [
  ["update runs set ended_at = null where seq = 1", "have a state that contradicts the time of their end"],
  ["update runs set owner = 77 where seq = 2", "1 runs have ended and have an owner, such as run"],
  ["update runs set owner = 77 where seq = 2", "1 runs have an owner that does not exist"],
  ["update runs set state = 'failed' where seq = 3", "have failed without an error"],
  ["update runs set acknowledged = 9 where seq = 3", "have acknowledged more changes than there were"],
  [
    "insert into tasks (run, task, epoch, state, attempts) values (900, 'a', 1, 'completed', 1)",
    'Table "tasks" has rows of 1 runs that do not exist',
  ],
  ["insert into events (run, kind, at) values (901, 'pause', 1)", 'Table "events" has rows of 1 runs'],
  ["drop index runs_due", 'Index "runs_due" of table "runs" is missing.'],
];

for (const kind of KINDS) {
  test(`${kind}: check finds nothing in a store that was used, and all damage that was planted`, async () => {
    await using on = ground(kind);
    {
      await using runner = await createRunner(await on.open(), { workflows: [greet] });
      for (let i = 0; i < 3; i++) await runner.execute(greet);
      await runner.start(greet, undefined, { delay: "1h" });
    }
    const sound = await check(on);
    // The servers of tests are fast, and not durable.
    assertEquals(sound.err, "");
    assertEquals(sound.out.split("\n").filter((line) => !line.startsWith("The setting ")), [
      ...sound.code === 0 ? ["No problems found."] : [],
    ]);
    const reader = readPlace({ url: on.url, options: on.schema === undefined ? {} : { schema: on.schema } });
    for (const [sql] of new Map(DAMAGE.map((damage) => [damage[0], damage])).values()) await reader.query(sql);
    await reader.close();
    const { code, out } = await check(on);
    assertEquals(code, 6);
    for (const [, problem] of DAMAGE) assertStringIncludes(out, problem);
    const { problems } = JSON.parse((await check(on, "--json")).out);
    assertEquals(problems, out.split("\n"));
  });
}

function check(on: Ground, ...args: readonly string[]): Promise<Printed> {
  return sluice(["check", on.url, ...args, ...tenantOf(on)]);
}
