import { assert, assertEquals, assertRejects } from "@std/assert";
import { setImmediate } from "node:timers";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { breathe } from "../../lib/store/shared/breathe.ts";
import { createRunner, workflow } from "../../mod.ts";
import { test } from "../harness.ts";

test("the time does not advance by itself", async () => {
  const clock = createFakeClock(1_000);
  await clock.settle();
  assertEquals(clock.now(), 1_000);
  await clock.advance("2s");
  assertEquals(clock.now(), 3_000);
});

test("advance() fires what is due, in order, each at its time", async () => {
  const clock = createFakeClock(0);
  const fired: string[] = [];
  clock.after(30, () => fired.push(`c ${clock.now()}`));
  clock.after(10, () => fired.push(`a ${clock.now()}`));
  clock.after(10, () => fired.push(`b ${clock.now()}`));
  clock.after(31, () => fired.push("late"));
  await clock.advance(30);
  assertEquals([fired, clock.timers], [["a 10", "b 10", "c 30"], 1]);
});

test("advance() fires what is set on the way", async () => {
  const clock = createFakeClock(0);
  const fired: number[] = [];
  const again = (): void => {
    fired.push(clock.now());
    if (fired.length < 4) clock.after(10, again);
  };
  clock.after(10, again);
  await clock.advance(35);
  assertEquals(fired, [10, 20, 30]);
});

test("between two timers, promises and immediates come to rest", async () => {
  const clock = createFakeClock(0);
  const told: string[] = [];
  clock.after(10, async () => {
    for (let n = 0; n < 3; n++) await new Promise((resolve) => soon(resolve));
    told.push("first is through");
  });
  clock.after(20, () => told.push("second"));
  await clock.advance(20);
  assertEquals(told, ["first is through", "second"]);
});

test("the time does not advance during work outside of the process", async () => {
  const clock = createFakeClock(0);
  const told: string[] = [];
  clock.after(10, async () => {
    const answer = new Promise<void>((resolve) => void setTimeout(resolve, 20));
    clock.outside(answer);
    await answer;
    told.push("the answer is there");
  });
  clock.after(20, () => told.push("second"));
  await clock.advance(20);
  assertEquals(told, ["the answer is there", "second"]);
});

test("the time does not advance between two slices of long work", async () => {
  const clock = createFakeClock(0);
  const poll = (): void => void clock.periodic!(1_000, clock.idleMs!(), poll);
  poll();
  const work = async (): Promise<number> => {
    for (let slice = 0; slice < 20; slice++) await breathe();
    return clock.now();
  };
  assertEquals(await clock.until(work()), 0);
});

test("what fails outside of the process is waited for, too, and until() waits for it without a timer", async () => {
  const clock = createFakeClock(0);
  const answer = new Promise<void>((_, reject) => void setTimeout(() => reject(new Error("no answer")), 20));
  clock.outside(answer);
  await assertRejects(() => clock.until(answer), Error, "no answer");
});

test("a timer that was taken back does not fire", async () => {
  const clock = createFakeClock();
  const fired: string[] = [];
  const takeBack = [clock.after(10, () => fired.push("no")), clock.after(0, () => fired.push("no, neither"))];
  clock.after(10, () => fired.push("yes"));
  for (const cancel of [...takeBack, ...takeBack]) cancel();
  await clock.advance(20);
  assertEquals([fired, clock.timers], [["yes"], 0]);
});

test("a timer of no duration fires without the time being moved", async () => {
  const clock = createFakeClock(5);
  const fired: number[] = [];
  clock.after(0, () => fired.push(clock.now()));
  assertEquals(fired, []);
  await clock.settle();
  assertEquals(fired, [5]);
});

test("advance() refuses what is no duration", async () => {
  await assertRejects(() => createFakeClock().advance("soon" as never), RangeError, '"soon"');
  await assertRejects(() => createFakeClock().advance(-1), RangeError);
});

test("until() settles as the promise does, and advances the time no further than necessary", async () => {
  const clock = createFakeClock(0);
  const soon = new Promise<string>((resolve) => clock.after(40, () => resolve("there")));
  const far = clock.after(50, () => {});
  assertEquals([await clock.until(soon), clock.now()], ["there", 40]);
  await assertRejects(() => clock.until(Promise.reject(new Error("broken"))), Error, "broken");
  assertEquals(clock.now(), 40);
  far();
});

test("until() gives up after its limit, and when nothing is left that could settle the promise", async () => {
  const clock = createFakeClock(0);
  const never = new Promise(() => {});
  await assertRejects(() => clock.until(never), Error, "no timer is left");
  const tick = (): void => void clock.after(100, tick);
  tick();
  await assertRejects(() => clock.until(never, "1s"), Error, "more than 1000 ms");
  assertEquals(clock.now(), 1_000);
});

test("a whole chain of durable retries passes at once", async () => {
  const flow = workflow("flow")
    .task("a", {
      retry: { attempts: 8, delay: "1h", maxDelay: "1h", jitter: false },
      run: ({ ctx }) => after(ctx.attempt, 8),
    })
    .task("b", { after: ["a"], retry: { attempts: 4, delay: "10s" }, run: ({ ctx }) => after(ctx.attempt, 4) });
  const clock = createFakeClock();
  const began = clock.now();
  await using runner = await createRunner("sqlite::memory:", { workflows: [flow], clock });
  const outcome = await clock.until(runner.execute(flow), "1d");
  assertEquals(outcome.outputs, { a: 8, b: 4 });
  assert(clock.now() - began > 7 * 3_600_000);
});

function after(attempt: number, wanted: number): number {
  if (attempt < wanted) throw new Error("not yet");
  return attempt;
}

/** In the next turn of the event loop. */
function soon(fire: (value: unknown) => void): void {
  void setImmediate(fire);
}
