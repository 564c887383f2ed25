/** The claim loop on a store whose claims take their time. */
import { assertEquals } from "@std/assert";
import type { Claim, ClaimRequest } from "../../lib/store/port/batch.ts";
import { createClaimLoop } from "../../lib/engine/fleet/claim_loop.ts";
import { silent } from "../../lib/logger.ts";
import { createFakeClock } from "../../lib/testing/mod.ts";
import { test } from "../harness.ts";

const NOTHING: Claim = { runs: [], more: false, nextDueAt: undefined };

/** A claim loop whose claims the test resolves. */
function openLoop(capacity: () => number) {
  const clock = createFakeClock(0);
  const requests: { readonly request: ClaimRequest; answer(claim: Claim): Promise<void>; fail(): Promise<void> }[] = [];
  let reserved = 0;
  const lines: string[] = [];
  const loop = createClaimLoop({
    store: {
      claim(request) {
        const { promise, resolve, reject } = Promise.withResolvers<Claim>();
        const answer = async (claim: Claim): Promise<void> => (resolve(claim), await clock.settle());
        const fail = async (): Promise<void> => (reject(new Error("away")), await clock.settle());
        requests.push({ request, answer, fail });
        return promise;
      },
    },
    logger: { ...silent, error: (line) => lines.push(line) },
    clock,
    now: clock.now,
    // As that of an executor, which counts reserved places.
    capacity: () => capacity() - reserved,
    executor: { reserve: (count) => void (reserved += count), unreserve: (count) => void (reserved -= count) },
    request: () => ({ runner: 1, served: [], pinned: false }),
    claimed() {},
  });
  return { loop, clock, requests, lines, reserved: () => reserved };
}

test("one claim is in flight at a time, and what asks for another in the meantime causes one more", async () => {
  const { loop, clock, requests } = openLoop(() => 3);
  for (let times = 0; times < 5; times++) loop.look();
  await clock.settle();
  for (let times = 0; times < 5; times++) loop.look();
  await clock.settle();
  assertEquals(requests.map(({ request }) => request.limit), [3]);
  await requests[0]!.answer(NOTHING);
  assertEquals(requests.length, 2);
  await requests[1]!.answer(NOTHING);
  assertEquals(requests.length, 2);
  await loop.stop();
});

test("a claim reserves the places that it may fill, until it has returned", async () => {
  const { loop, clock, requests, reserved } = openLoop(() => 3);
  loop.look();
  await clock.settle();
  assertEquals([reserved(), loop.requested], [3, 3]);
  await requests[0]!.answer(NOTHING);
  assertEquals([reserved(), loop.requested], [0, 0]);
  await loop.stop();
});

test("without capacity nothing is claimed until some is released", async () => {
  let capacity = 0;
  const { loop, clock, requests } = openLoop(() => capacity);
  loop.look();
  await clock.settle();
  assertEquals(requests.length, 0);
  capacity = 1;
  loop.observe({ type: "capacityReleased", dueAt: undefined });
  await clock.settle();
  assertEquals(requests.length, 1);
  await requests[0]!.answer(NOTHING);
  await loop.stop();
});

test("a claim that fails is logged once for each reason, and repeated with the next poll", async () => {
  const { loop, clock, requests, lines } = openLoop(() => 1);
  loop.look();
  await clock.settle();
  await requests[0]!.fail();
  await clock.advance("2s");
  await requests[1]!.fail();
  await clock.advance("2s");
  await requests[2]!.answer(NOTHING);
  assertEquals(lines, ["Cannot claim runs: away; retrying with the next poll"]);
  await loop.stop();
});

test("stop() resolves when the claim in flight has returned", async () => {
  const { loop, clock, requests } = openLoop(() => 1);
  loop.look();
  await clock.settle();
  let isStopped = false;
  const stopped = loop.stop().then(() => isStopped = true);
  await clock.settle();
  assertEquals(isStopped, false);
  await requests[0]!.answer(NOTHING);
  await stopped;
  assertEquals(clock.timers, 0);
});
