/** What a runner does while it cannot renew its lease, on a clock that is moved by hand. */
import { assertEquals } from "@std/assert";
import { createRunner, workflow } from "../../mod.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { never } from "./open.ts";

/** A store whose renewals and claims can be held back, before they reach it or before their response. */
function heldStore(inner: Store) {
  const held = { renew: gate(), claim: gate(), isClaimHeld: false };
  const store: Store = {
    ...inner,
    async renew(...args) {
      await held.renew.passed;
      return await inner.renew(...args);
    },
    async claim(request) {
      const claim = await inner.claim(request);
      if (held.isClaimHeld && claim.runs.length > 0) await held.claim.passed;
      return claim;
    },
  };
  return { store, held };

  function gate() {
    let way: PromiseWithResolvers<void> | undefined;
    return {
      get passed() {
        return way?.promise;
      },
      close: () => void (way = Promise.withResolvers()),
      open: () => (way?.resolve(), way = undefined),
    };
  }
}

test("bodies of a runner that cannot renew its lease are aborted before it ends, and run again once it can", async () => {
  await using place = emptyStore("memory");
  const clock = createFakeClock();
  const inner = await openPlace(place, { clock });
  const { store, held } = heldStore(inner);
  const aborted: string[] = [];
  let attempts = 0;
  const work = workflow("work").task("a", {
    version: "1",
    run({ ctx }) {
      if (++attempts > 1) return ctx.attempt;
      ctx.signal.addEventListener("abort", () => aborted.push(`${ctx.signal.reason.name} at ${clock.now() - began}`));
      return never();
    },
  }).returns("a");
  const began = clock.now();
  const runner = await createRunner(store, { workflows: [work], clock });
  const run = await runner.start(work);
  await clock.settle();
  held.renew.close();
  await clock.advance("1m");
  assertEquals([aborted, attempts], [["LeaseLostError at 25000"], 1]);
  held.renew.open();
  assertEquals(await clock.until(run.result()), 1);
  assertEquals([attempts, (await run.status()).crashes], [2, 0]);
  await clock.until(runner.stop());
  await inner.close();
});

test("no body starts while the lease is lost, and the response of a claim in that time is not used", async () => {
  await using place = emptyStore("memory");
  const clock = createFakeClock();
  const inner = await openPlace(place, { clock });
  const { store, held } = heldStore(inner);
  let begun = 0;
  const work = workflow("work").task("a", { version: "1", run: () => ++begun }).returns("a");
  const runner = await createRunner(store, { workflows: [work], clock });
  const late = await runner.start(work, undefined, { delay: "20s" });
  held.isClaimHeld = true;
  held.claim.close();
  await clock.advance("19s"); // renewed at 10 s
  held.renew.close();
  await clock.advance("2s");
  assertEquals((await inner.run(late.id))?.state, "running"); // claimed, but the answer is on its way
  await clock.advance("1m");
  held.isClaimHeld = false;
  held.claim.open();
  const next = await runner.start(work);
  await clock.advance("1m");
  assertEquals([begun, (await next.status()).state], [0, "pending"]);
  held.renew.open();
  assertEquals((await clock.until(Promise.all([late.result(), next.result()]))).toSorted(), [1, 2]);
  assertEquals((await late.tasks()).map(({ attempts }) => attempts), [1]);
  await clock.until(runner.stop());
  await inner.close();
});

test("a result that is ready when the lease is lost is kept if no other runner has taken the run", async () => {
  await using place = emptyStore("memory");
  const clock = createFakeClock();
  const inner = await openPlace(place, { clock });
  let away = Promise.withResolvers<void>();
  let isAway = false;
  const store: Store = {
    ...inner,
    async renew(...args) {
      if (isAway) await away.promise;
      return await inner.renew(...args);
    },
    async commit(batch) {
      if (isAway) await away.promise;
      return await inner.commit(batch);
    },
  };
  let begun = 0;
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const work = workflow("work").task("a", {
    version: "1",
    async run() {
      begun++;
      await finished;
      return "kept";
    },
  }).returns("a");
  const runner = await createRunner(store, { workflows: [work], clock });
  const run = await runner.start(work);
  await clock.settle();
  isAway = true;
  finish();
  await clock.advance("1m");
  isAway = false;
  away.resolve();
  away = Promise.withResolvers();
  assertEquals(await clock.until(run.result()), "kept");
  assertEquals(begun, 1);
  await clock.until(runner.stop());
  await inner.close();
});
