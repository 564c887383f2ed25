/**
 * A change of a run from outside that comes at any moment of a release is never lost: whatever the owner was about to do,
 * the change takes effect without the time that the run waits for.
 */
import { assertEquals } from "@std/assert";
import { type AnyWorkflow, createRunner, type HandleOf, RetryAfterError, unchecked, workflow } from "../../mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { createFakeClock, type FakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";

/** The moments of a release: before and after each call of the store that the owner makes on the way. */
const MOMENTS = ["before the release", "after the release", "before its answer", "after its answer"] as const;

type Moment = typeof MOMENTS[number];
type Sender = (store: Store, id: string) => Promise<unknown>;

const CHANGES: Readonly<Record<string, { readonly send: Sender; readonly state: string }>> = {
  "cancel": { send: (store, id) => store.control(id, { kind: "cancel", reason: "now" }), state: "cancelled" },
  "pause": { send: (store, id) => store.control(id, { kind: "pause", reason: undefined }), state: "paused" },
  "pause and resume": {
    async send(store, id) {
      await store.control(id, { kind: "pause", reason: undefined });
      await store.control(id, { kind: "resume" });
    },
    state: "waiting",
  },
};

/** A store that calls `at` at the moments of the commit that releases a run. */
function watched(inner: Store, at: (moment: Moment) => Promise<void>): Store {
  return {
    ...inner,
    async commit(batch) {
      const releases = batch.writes.some(({ move }) => move?.to === "waiting" && move.release);
      if (releases) await at("before the release");
      const receipt = inner.commit(batch);
      if (releases) await at("after the release");
      const known = await receipt;
      if (releases) await at("before its answer");
      if (releases) setTimeout(() => void at("after its answer"), 0);
      return known;
    },
  };
}

/** Two stores of one place: that of the owner, and that of the sender, which acts at one moment of the first release. */
interface Race extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly inner: Store;
  /** Starts a run, and lets it reach its release; the sender has acted when this resolves. */
  start<W extends AnyWorkflow>(workflow: W): Promise<HandleOf<W>>;
}

async function race(moment: Moment, send: Sender): Promise<Race> {
  const place = emptyStore();
  const clock = createFakeClock();
  const [inner, sender] = [await openPlace(place, { clock }), await openPlace(place, { clock })];
  const sent = Promise.withResolvers<void>();
  let id = "";
  let isSent = false;
  let stop = (): Promise<void> => Promise.resolve();
  const store = watched(inner, async (now) => {
    if (now !== moment || isSent) return;
    isSent = true;
    await send(sender, id);
    sent.resolve();
  });
  return {
    clock,
    inner,
    async start(workflow) {
      const runner = await createRunner(store, { workflows: [workflow], clock });
      stop = runner.stop;
      // Claimed, so that its id is known before anything else happens.
      const run = await runner.start(workflow.name, undefined as never, { delay: "1s" });
      id = run.id;
      await clock.advance("1s");
      await sent.promise;
      // A slow poll and a renewal.
      await clock.advance("15s");
      return run as unknown as HandleOf<typeof workflow>;
    },
    async [Symbol.asyncDispose]() {
      await clock.until(stop());
      await Promise.all([inner.close(), sender.close()]);
      await place[Symbol.asyncDispose]();
    },
  };
}

for (const [name, { send, state }] of Object.entries(CHANGES)) {
  for (const moment of MOMENTS) {
    test(`${name} ${moment} of a waiting run takes effect`, async () => {
      await using on = await race(moment, send);
      let attempts = 0;
      const wait = workflow("wait").task("a", {
        version: "1",
        run() {
          attempts++;
          if (attempts === 1) throw new RetryAfterError("1m");
          return attempts;
        },
        retry: 3,
      }).returns("a");
      const run = await on.start(wait);
      // Well before the minute that it waits is over.
      assertEquals([(await run.status()).state, attempts], [state, 1]);
      const row = await on.inner.run(run.id);
      assertEquals([row?.owner, (await on.inner.inbox(row?.owner ?? 0)).length], [undefined, 0]);
      if (state !== "waiting") return;
      await on.clock.advance("1m");
      assertEquals(await on.clock.until(run.result()), 2);
    });
  }
}

for (const moment of MOMENTS) {
  test(`a message ${moment} of a waiting run wakes it`, async () => {
    await using on = await race(moment, async (store, id) => {
      const message = { id: crypto.randomUUID(), task: "go", payload: "7" };
      assertEquals(await store.send(id, message), { kind: "done", accepted: true });
    });
    const wait = workflow("wait").event("go", { schema: unchecked<number>() })
      .task("next", { after: ["go"], version: "1", run: ({ go }) => go + 1 }).returns("next");
    const run = await on.start(wait);
    assertEquals(await on.clock.until(run.result()), 8);
  });
}

for (const moment of MOMENTS.slice(1)) {
  test(`the end of a child run ${moment} of its parent wakes the parent`, async () => {
    await using on = await race(moment, async (store, id) => {
      const { seq } = (await store.run(id))!;
      let [child] = await store.children(seq);
      while (child === undefined) [child] = await store.children(seq);
      await store.control(child.id, { kind: "cancel", reason: "now" });
    });
    const child = workflow("child").sleep("rest", { for: "1d" });
    const parent = workflow("parent").subworkflow("child", { workflow: child })
      .task("next", { after: ["child"], on: "anyFailed", version: "1", run: () => "woken" }).returns("next");
    const run = await on.start(parent);
    assertEquals(await on.clock.until(run.result()), "woken");
  });
}

for (const move of ["completed", "failed"] as const) {
  test(`a run that is cancelled at the moment at which its owner ends it as ${move} ends as cancelled everywhere`, async () => {
    await using place = emptyStore();
    const clock = createFakeClock();
    const inner = await openPlace(place, { clock });
    let id = "";
    const store: Store = {
      ...inner,
      async commit(batch) {
        if (batch.writes.some((write) => write.move?.to === move)) {
          await inner.control(id, { kind: "cancel", reason: "now" });
        }
        return await inner.commit(batch);
      },
    };
    const ends = workflow("ends").task("a", {
      version: "1",
      run() {
        if (move === "failed") throw new Error("no");
      },
    });
    const events: string[] = [];
    const onEvent = ({ type }: { readonly type: string }): void => void events.push(type);
    const runner = await createRunner(store, { workflows: [ends], defaults: { retry: 1 }, clock, onEvent });
    const run = await runner.start("ends", undefined, { delay: "1s" });
    id = run.id;
    await clock.advance("2s");
    const outcome = await clock.until(run.outcome());
    assertEquals([outcome.status, (await run.status()).state], ["cancelled", "cancelled"]);
    assertEquals(events.filter((type) => /^run\.(completed|failed|cancelled)$/.test(type)), ["run.cancelled"]);
    await clock.until(runner.stop());
    await inner.close();
  });
}
