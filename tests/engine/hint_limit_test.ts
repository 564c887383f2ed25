import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../lib/clock.ts";
import { createHintLimit } from "../../lib/engine/fleet/hint_limit.ts";
import type { Change } from "../../lib/store/port/store.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";

const DUE: Change = { due: true, ended: false, attention: [] };

test("hints in vain are held back and merged after the first twenty", async () => {
  const acted: Change[] = [];
  const limit = createHintLimit({ act: (change) => acted.push(change), useful: () => 0, clock: systemClock });
  for (let n = 0; n < 1_000; n++) limit.hint(n === 500 ? { ...DUE, attention: [7] } : DUE);
  assertEquals(acted.length, 20);
  await until(() => acted.length > 20);
  assertEquals(acted[20], { due: true, ended: false, attention: [7] });
  limit.hint(DUE);
  limit.stop();
  await new Promise((resolve) => setTimeout(resolve, 150));
  assertEquals(acted.length, 21);
});

test("hints that lead to something are never held back", () => {
  let found = 0;
  const limit = createHintLimit({ act: () => void found++, useful: () => found, clock: systemClock });
  for (let n = 0; n < 1_000; n++) limit.hint(DUE);
  assertEquals(found, 1_000);
  limit.stop();
});

test("one hint that leads to something releases those after it", () => {
  let acted = 0;
  let found = 0;
  const limit = createHintLimit({ act: () => void acted++, useful: () => found, clock: systemClock });
  for (let n = 0; n < 15; n++) limit.hint(DUE);
  found++;
  for (let n = 0; n < 15; n++) limit.hint(DUE);
  assert(acted === 30, `${acted}`);
  limit.stop();
});
