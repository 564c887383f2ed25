/** Which definitions are stored, and which version can continue a run. */
import { assertEquals } from "@std/assert";
import { silent } from "../../lib/logger.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { createClient, createRunner, type RunEvent, type Store, unchecked, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { open, untilAborted } from "./open.ts";

test("a client stores the definitions of what it starts", async () => {
  await using place = emptyStore();
  const greet = workflow("greet").task("hello", { run: () => "hello" });
  await using client = await createClient(place.url, { ...place.options, workflows: [greet] });
  await client.start(greet);
  assertEquals(await place.query("select workflow, version from workflows"), [
    { workflow: "greet", version: greet.version },
  ]);
});

test("a run is parked by its own version once another version has recorded a task that this one lacks", async () => {
  const wait = (args: { ctx: { signal: AbortSignal } }): Promise<never> => untilAborted(args.ctx.signal);
  const three = workflow("order", { version: "3" }).task("a", { run: () => 1 }).task("c", { after: ["a"], run: wait });
  const two = workflow("order", { version: "2" })
    .task("a", { run: () => 1 })
    .task("b", { after: ["a"], run: () => 2 })
    .task("c", { after: ["a"], run: wait });
  await using opened = await open([three], { shared: true });
  const { clock, runner } = opened;
  const run = await runner.start(three);
  await clock.advance(500);
  await clock.until(runner.stop());
  const other = await opened.another([two]);
  await clock.advance("3s");
  assertEquals((await other.get(run.id).tasks()).find(({ id }) => id === "b")?.state, "completed");
  await clock.until(other.stop());
  const events: RunEvent[] = [];
  const again = await opened.another([three], { onEvent: (event) => events.push(event) });
  await clock.advance("10s");
  assertEquals(events.map(({ type }) => type), ["run.stranded"]);
  assertEquals((await again.stranded()).map(({ id, reason }) => ({ id, reason })), [{
    id: run.id,
    reason: 'task "b" has a recorded result and was removed; a runner with another version is needed',
  }]);
  await again.get(run.id).cancel();
});

test("a definition that cannot be read parks no run: its run is released, and claimed again until it can", async () => {
  await using place = emptyStore("shared");
  const flowOf = (version: string) =>
    workflow("flow", { version }).task("a", { run: () => 1 }).event("go", {
      after: ["a"],
      schema: unchecked<string>(),
    });
  const clock = createFakeClock();
  const options = { clock, logger: silent } as const;
  const first = await createRunner(place.url, { ...place.options, ...options, workflows: [flowOf("1")] });
  const run = await first.start("flow");
  await clock.advance("10s");
  await clock.until(first.stop());
  const store = await openPlace(place, { clock });
  let reads = 0;
  const broken: Store = {
    ...store,
    definition: (of) => ++reads <= 2 ? Promise.reject(new Error("permission denied")) : store.definition(of),
  };
  const lines: string[] = [];
  const second = await createRunner(broken, {
    clock,
    workflows: [flowOf("2")],
    logger: { ...silent, error: (line) => void lines.push(line), warn: (line) => void lines.push(line) },
  });
  await second.send(run.id, "go", "on");
  await clock.advance("30s");
  assertEquals([(await second.get(run.id).status()).state, reads], ["completed", 3]);
  assertEquals(lines, [
    `Cannot read the definition of run "${run.id}" and maybe others; they are released and claimed again`,
  ]);
  await clock.until(second.stop());
  await store.close();
});
