/** A request to a run reaches its child runs, also if the store refuses it for a while. */
import { assertEquals } from "@std/assert";
import { createRunner, type Duration, unchecked, workflow } from "../../mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
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

/** A store whose requests to child runs wait until the test lets them reach the inner store, or fail. */
function gated(inner: Store): { readonly store: Store; readonly waiting: Gate[]; readonly kinds: string[] } {
  const waiting: Gate[] = [];
  const kinds: string[] = [];
  return {
    waiting,
    kinds,
    store: {
      ...inner,
      async controlChildren(run, request, task) {
        kinds.push(request.kind);
        const gate = Promise.withResolvers<void>();
        waiting.push(gate);
        await gate.promise;
        await inner.controlChildren(run, request, task);
      },
    },
  };
}

type Gate = PromiseWithResolvers<void>;

interface Family extends AsyncDisposable {
  readonly run: { readonly id: string };
  readonly inner: Store;
  readonly clock: FakeClock;
  readonly waiting: Gate[];
  readonly kinds: string[];
  /** The states of the run and of its child run. */
  states(): Promise<readonly (string | undefined)[]>;
}

/** A run in memory that waits for its child run, which waits for a message. */
async function family(timeout?: Duration): Promise<Family> {
  const place = emptyStore();
  const clock = createFakeClock();
  const inner = await openPlace(place, { clock });
  const { store, waiting, kinds } = gated(inner);
  const child = workflow("child").event("answer", { schema: unchecked<string>() });
  const parent = workflow("parent").subworkflow("child", { workflow: child })
    .task("busy", {
      version: "1",
      run: ({ ctx }) => new Promise<number>((_, reject) => (ctx.signal.onabort = reject)),
    });
  const runner = await createRunner(store, { workflows: [parent, child], clock, logger: false });
  const run = await runner.start("parent", undefined, timeout === undefined ? {} : { timeout });
  await clock.advance("1s");
  return {
    run,
    inner,
    clock,
    waiting,
    kinds,
    states: async () => [(await run.status()).state, (await run.children())[0]?.state],
    async [Symbol.asyncDispose]() {
      await clock.until(runner.stop({ timeout: 0 }));
      await inner.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

test("a pause of child runs that fails after the resume that followed it is not repeated", async () => {
  await using on = await family();
  await on.inner.control(on.run.id, { kind: "pause", reason: undefined });
  await on.clock.advance("15s");
  assertEquals([on.kinds, await on.states()], [["pause"], ["paused", "paused"]]);
  await on.inner.control(on.run.id, { kind: "resume" });
  await on.clock.advance("15s");
  // One request is in flight at a time.
  assertEquals(on.kinds, ["pause"]);
  on.waiting.shift()!.reject(new Error("lost"));
  await on.clock.advance("1ms");
  assertEquals(on.kinds, ["pause", "resume"]);
  on.waiting.shift()!.resolve();
  await on.clock.advance("10s");
  assertEquals([on.kinds, await on.states()], [["pause", "resume"], ["running", "waiting"]]);
});

test("a pause of child runs that is slow does not overtake the resume that follows it", async () => {
  await using on = await family();
  await on.inner.control(on.run.id, { kind: "pause", reason: undefined });
  await on.clock.advance("15s");
  await on.inner.control(on.run.id, { kind: "resume" });
  await on.clock.advance("15s");
  on.waiting.pop()!.resolve();
  await on.clock.advance("1s");
  on.waiting.pop()!.resolve();
  await on.clock.advance("10s");
  assertEquals([on.kinds, await on.states()], [["pause", "resume"], ["running", "waiting"]]);
});

test("a cancel of child runs that fails is repeated, also if the run is paused and resumed meanwhile", async () => {
  await using on = await family("10s");
  await on.clock.advance("10s");
  on.waiting.shift()!.reject(new Error("lost"));
  await on.clock.advance("1ms");
  for (const kind of ["pause", "resume"] as const) {
    await on.inner.control(on.run.id, { kind, reason: undefined });
    await on.clock.advance("15s");
    assertEquals(on.waiting.length, 1, kind);
  }
  on.waiting.shift()!.resolve();
  await on.clock.advance("30s");
  assertEquals([on.kinds, await on.states()], [["cancel", "cancel"], ["failed", "cancelled"]]);
});
