/** A request to a run reaches its child runs, also if the store refuses it for a while. */
import { assertEquals } from "@std/assert";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";

for (const kind of ["subworkflow", "map"] as const) {
  test(`the child runs of a ${kind} whose run times out are cancelled, however often that fails at first`, async () => {
    await using place = emptyStore();
    const clock = createFakeClock();
    const inner = await openPlace(place, { clock });
    let failures = 0;
    const store = {
      ...inner,
      controlChildren: (...args: Parameters<typeof inner.controlChildren>) =>
        failures < 8 ? Promise.reject(new Error(`failure ${++failures}`)) : inner.controlChildren(...args),
    };
    const child = workflow("child").event("answer", { schema: unchecked<string>() });
    const parent = kind === "subworkflow"
      ? workflow("parent").subworkflow("child", { workflow: child })
      : workflow("parent").map("child", { over: () => [1, 2], workflow: child });
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line);
    const logger = { debug() {}, info() {}, warn() {}, error: log };
    const runner = await createRunner(store, { workflows: [parent, child], clock, logger });
    const run = await runner.start("parent", undefined, { timeout: "1s" });
    await clock.advance("30s");
    assertEquals([failures, (await run.status()).state], [8, "failed"]);
    const children = await run.children();
    assertEquals(children.map(({ state }) => state), children.map(() => "cancelled"));
    assertEquals(children.length, kind === "map" ? 2 : 1);
    assertEquals(lines.filter((line) => line.startsWith("Cannot cancel the child runs of run")).length, 8);
    await clock.until(runner.stop());
    await inner.close();
  });
}
