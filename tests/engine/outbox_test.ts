/** The outbox on a store whose commits take turns at being slow. */
import { assert, assertEquals } from "@std/assert";
import { setTimeout as pause } from "node:timers/promises";
import type { Batch, Claim, ClaimRequest, NewRun, Receipt } from "../../lib/store/batch.ts";
import { silent } from "../../lib/logger.ts";
import type { Store } from "../../lib/store/port.ts";
import { createOutbox, type Draft, type Outbox } from "../../lib/engine/outbox.ts";
import { test } from "../harness.ts";

const RUNS = 400;

test("commits of one run go out one after the other, however many fly at once", async () => {
  for (const atOnce of [1, 2, 4]) {
    const { store, flown } = slowStore(atOnce);
    const outbox = createOutbox(store);
    const said: string[] = [];
    const wanted: string[] = [];
    for (let turn = 0; turn < 20; turn++) {
      // Now and then more than once for the same run, before and after it was sent.
      for (let i = 0; i < RUNS; i++) {
        const seq = Math.floor(Math.random() * RUNS);
        outbox.write(draft(seq, wanted.length, (name) => said.push(name)));
        wanted.push(`${seq} ${wanted.length}`);
      }
      await pause(Math.random() * 3);
    }
    await outbox.idle();
    for (let seq = 0; seq < RUNS; seq++) {
      const own = (names: readonly string[]): string[] => names.filter((name) => name.startsWith(`${seq} `));
      assertEquals(own(said), own(wanted), `at once: ${atOnce}`);
    }
    assertEquals(flown.mostOfOneRun, 1);
    assert(flown.most <= atOnce && (atOnce === 1 || flown.most > 1), `${flown.most} at once of ${atOnce}`);
  }
});

test("one claim is on its way at a time, and what is asked for meanwhile is asked afterwards", async () => {
  const { store, flown } = slowStore(3);
  let asked = 0;
  let isHungry = false;
  const outbox: Outbox = createOutbox(store, {
    claim() {
      if (!isHungry) return undefined;
      isHungry = false;
      asked++;
      return request;
    },
  });
  for (let i = 0; i < 200; i++) {
    isHungry = true;
    outbox.poke();
    outbox.write(draft(i, 0));
    if (i % 3 === 0) await pause(1);
  }
  await outbox.idle();
  assertEquals(flown.mostClaims, 1);
  assertEquals(flown.claims, asked);
  assert(!isHungry, "somebody asked and nobody claimed");
});

test("starts in one commit are bounded by the bytes of their inputs, and those of one caller are never parted", async () => {
  const { store, flown } = slowStore(1);
  const outbox = createOutbox(store);
  const run = { id: "r", input: "x".repeat(1024 * 1024) } as NewRun;
  await Promise.all(Array.from({ length: 5 }, () => outbox.startMany([run])));
  await outbox.startMany([run, run, run, run]);
  assertEquals(flown.starts, [2, 2, 1, 4]);
});

test("an error in what follows one result keeps no other result of its commit back, and is told", async () => {
  const { store } = slowStore(1);
  const failures: string[] = [];
  const error = (_message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    failures.push(String(fields["error"]));
  };
  const outbox = createOutbox(store, { logger: { ...silent, error } });
  const settled: string[] = [];
  outbox.write({
    ...draft(1, 0),
    settled() {
      throw new Error("out of tune");
    },
  });
  outbox.write(draft(2, 0, (name) => settled.push(name)));
  await outbox.idle();
  assertEquals([settled, failures], [["2 0"], ["Error: out of tune"]]);
});

test("runs that wait to be started are shared out, and those of one caller never", async () => {
  const { store, flown } = slowStore(2);
  const outbox = createOutbox(store);
  const run = { id: "r" } as NewRun;
  const single = Array.from({ length: 400 }, () => outbox.startMany([run]));
  await Promise.all(single);
  assertEquals(flown.starts.slice(0, 2), [200, 200]);
  const verdicts = await outbox.startMany(Array.from({ length: 3_000 }, () => run));
  assertEquals([verdicts.length, flown.starts.at(-1)], [3_000, 3_000]);
});

test("one result on an idle store is a commit of its own, at once", async () => {
  const { store, flown } = slowStore(2);
  const outbox = createOutbox(store);
  for (let i = 0; i < 5; i++) {
    outbox.write(draft(1, i));
    await outbox.idle();
  }
  assertEquals(flown.commits, 5);
});

const request: ClaimRequest = { runner: 1, served: [], pinned: false, limit: 1 };

function draft(seq: number, number: number, said: (name: string) => void = () => {}): Draft {
  const settled = (): void => said(`${seq} ${number}`);
  return { seq, epoch: 1, records: [], move: undefined, sent: false, settled, dropped() {} };
}

/** What flew. */
interface Flown {
  commits: number;
  claims: number;
  /** At once. */
  most: number;
  /** At once. */
  mostClaims: number;
  /** At once, of any run that had only one draft in each. */
  mostOfOneRun: number;
  /** Of each commit. */
  readonly starts: number[];
}

function slowStore(commitsAtOnce: number): { readonly store: Store; readonly flown: Flown } {
  const flown: Flown = { commits: 0, claims: 0, most: 0, mostClaims: 0, mostOfOneRun: 0, starts: [] };
  const flying = new Set<Batch>();
  let claiming = 0;
  const store = {
    commitsAtOnce,
    async claim(): Promise<Claim> {
      flown.claims++;
      flown.mostClaims = Math.max(flown.mostClaims, ++claiming);
      await pause(Math.random() * 4);
      claiming--;
      return { runs: [], more: false, nextDueAt: undefined };
    },
    async commit(batch: Batch): Promise<Receipt> {
      flying.add(batch);
      flown.commits++;
      flown.starts.push(batch.starts.length);
      flown.most = Math.max(flown.most, flying.size);
      for (const { seq } of batch.writes) {
        const carriers = [...flying].filter((other) => other !== batch && other.writes.some((one) => one.seq === seq));
        flown.mostOfOneRun = Math.max(flown.mostOfOneRun, carriers.length + 1);
      }
      await pause(Math.random() * 4);
      flying.delete(batch);
      return {
        starts: batch.starts.map((_, seq) => ({ kind: "started", seq, owned: true, at: 0 })),
        writes: batch.writes.map(() => "accepted"),
      };
    },
  };
  return { store: store as unknown as Store, flown };
}
