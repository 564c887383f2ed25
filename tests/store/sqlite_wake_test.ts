import { assertEquals } from "@std/assert";
import { silent } from "../../lib/logger.ts";
import type { Connection, Statement } from "../../lib/store/sqlite/driver.ts";
import { createWake } from "../../lib/store/sqlite/wake.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";

test("sqlite: a thousand watched files cause no more polls than forty, and a single remaining one is polled often again", async () => {
  const clock = createFakeClock(0);
  let asked = 0;
  const statement: Partial<Statement> = { get: () => (asked++, { data_version: 1 }) };
  const connection: Partial<Connection> = { prepare: () => statement as Statement };
  const perSecond = async (): Promise<number> => {
    asked = 0;
    await clock.advance("1s");
    return asked;
  };
  const open = () => createWake(connection as Connection, clock, silent);
  const one = open();
  one.watch(() => {});
  assertEquals(await perSecond(), 50);
  const others = Array.from({ length: 999 }, open);
  for (const wake of others) wake.watch(() => {});
  await clock.advance("1s");
  assertEquals(Math.round(await perSecond() / 100), 20);
  for (const wake of others) wake.close();
  // Its next poll is still scheduled with the interval for many files.
  await clock.advance("1s");
  assertEquals(await perSecond(), 50);
  one.close();
  assertEquals(clock.timers, 0);
});
