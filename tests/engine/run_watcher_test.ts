import { assertEquals } from "@std/assert";
import { createRunWatcher } from "../../lib/engine/client/run_watcher.ts";
import { silent } from "../../lib/logger.ts";
import { ANY_CHANGE, type Store } from "../../lib/store/port/store.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";

test("a hint during a poll causes one more poll, and leaves one timer", async () => {
  const clock = createFakeClock(0);
  const answers: PromiseWithResolvers<readonly string[]>[] = [];
  let hint = (): void => {};
  const ended = (): Promise<readonly string[]> => {
    answers.push(Promise.withResolvers());
    return answers.at(-1)!.promise;
  };
  const watch: Store["watch"] = (changed) => (hint = () => changed(ANY_CHANGE), () => {});
  const watcher = createRunWatcher({ ended, watch } as Partial<Store> as Store, { clock, logger: silent });
  const end = watcher.waitForEnd("r");
  hint();
  await clock.advance(0);
  for (let n = 0; n < 3; n++) {
    hint();
    // Far more than the look itself takes, by which the next one is put off.
    await clock.advance("10s");
  }
  assertEquals([answers.length, clock.timers], [1, 0]);
  answers[0]!.resolve([]);
  await clock.settle();
  assertEquals([answers.length, clock.timers], [2, 0]);
  answers[1]!.resolve(["r"]);
  assertEquals(await end, undefined);
  watcher.close();
  assertEquals(clock.timers, 0);
});

test("without a hint the slow poll resolves a wait, once", async () => {
  const clock = createFakeClock(0);
  const ended = ["a", "b"];
  const store: Partial<Store> = {
    ended: (ids) => Promise.resolve(ids.filter((id) => ended.includes(id))),
    watch: () => () => {},
  };
  const watcher = createRunWatcher(store as Store, { clock, logger: silent });
  const ends = Promise.all([
    watcher.waitForEnd("a"),
    watcher.waitForEnd("b"),
    watcher.waitForEnd("c").catch(() => "closed"),
  ]);
  await clock.advance("5s");
  assertEquals(clock.timers, 1);
  watcher.close();
  assertEquals([await ends, clock.timers], [[undefined, undefined, "closed"], 0]);
});

test("a hint never makes who waits hear later than without one, however long a look takes", async () => {
  const clock = createFakeClock(0);
  let looks = 0;
  let hint = (): void => {};
  const store: Partial<Store> = {
    ended() {
      looks++;
      for (const until = performance.now() + 150; performance.now() < until;);
      return Promise.resolve([]);
    },
    watch: (changed) => (hint = () => changed(ANY_CHANGE), () => {}),
  };
  const watcher = createRunWatcher(store as Store, { clock, logger: silent });
  const end = watcher.waitForEnd("r").catch(() => "closed");
  await clock.advance("1s");
  assertEquals(looks, 1);
  hint();
  await clock.advance("1s");
  assertEquals(looks, 2);
  watcher.close();
  assertEquals(await end, "closed");
});

test("a run is polled until the last call that waits for it is withdrawn", async () => {
  const clock = createFakeClock(0);
  const polled: string[][] = [];
  const store: Partial<Store> = {
    ended(ids) {
      polled.push([...ids]);
      return Promise.resolve([]);
    },
    watch: () => () => {},
  };
  const watcher = createRunWatcher(store as Store, { clock, logger: silent });
  const first = watcher.waitForEnd("r");
  const second = watcher.waitForEnd("r");
  watcher.stopWaiting("r", first);
  await clock.advance("1s");
  watcher.stopWaiting("r", second);
  // A wait for another end of the same run is not affected.
  const third = watcher.waitForEnd("r");
  watcher.stopWaiting("r", second);
  await clock.advance("1s");
  watcher.stopWaiting("r", third);
  await clock.advance("5s");
  assertEquals([polled, clock.timers], [[["r"], ["r"]], 0]);
});
