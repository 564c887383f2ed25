/** The committer on a store whose commits take turns at being slow. */
import { assert, assertEquals } from "@std/assert";
import { setTimeout as pause } from "node:timers/promises";
import type { Batch, NewRun, Receipt } from "../../lib/store/port/batch.ts";
import { silent } from "../../lib/logger.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { createClientStarts } from "../../lib/engine/client/client_starts.ts";
import { createCommitter, type PendingWrite } from "../../lib/engine/commit/committer.ts";
import { randomTest, test } from "../harness.ts";
import { type Random, randomOf } from "../random.ts";

const RUNS = 400;

randomTest("commits of one run go out one after the other, however many fly at once", async (random) => {
  for (const atOnce of [1, 2, 4]) {
    const { store, flown } = slowStore(atOnce, random);
    const committer = createCommitter(store);
    const said: string[] = [];
    const wanted: string[] = [];
    for (let turn = 0; turn < 20; turn++) {
      // Now and then more than once for the same run, before and after it was sent.
      for (let i = 0; i < RUNS; i++) {
        const seq = random.below(RUNS);
        committer.write(write(seq, wanted.length, (name) => said.push(name)));
        wanted.push(`${seq} ${wanted.length}`);
      }
      await pause(random.next() * 3);
    }
    await committer.idle();
    for (let seq = 0; seq < RUNS; seq++) {
      const own = (names: readonly string[]): string[] => names.filter((name) => name.startsWith(`${seq} `));
      assertEquals(own(said), own(wanted), `at once: ${atOnce}`);
    }
    assertEquals(flown.mostOfOneRun, 1);
    assert(flown.most <= atOnce && (atOnce === 1 || flown.most > 1), `${flown.most} at once of ${atOnce}`);
  }
});

test("starts in one commit are bounded by the bytes of their inputs, and those of one caller are never parted", async () => {
  const { store, flown } = slowStore(1);
  const insert = createClientStarts(createCommitter(store));
  const run = { id: "r", input: "x".repeat(1024 * 1024) } as NewRun;
  await Promise.all(Array.from({ length: 5 }, () => insert([run])));
  await insert([run, run, run, run]);
  assertEquals(flown.starts, [2, 2, 1, 4]);
});

test("an error in a callback of one result delays no other result of its commit, and is reported", async () => {
  const { store } = slowStore(1);
  const failures: string[] = [];
  const error = (_message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    failures.push(String(fields["error"]));
  };
  const committer = createCommitter(store, { logger: { ...silent, error } });
  const settled: string[] = [];
  committer.write({
    ...write(1, 0),
    onResult() {
      throw new Error("out of tune");
    },
  });
  committer.write(write(2, 0, (name) => settled.push(name)));
  await committer.idle();
  assertEquals([settled, failures], [["2 0"], ["Error: out of tune"]]);
});

test("runs that wait to be started are shared out, and those of one caller never", async () => {
  const { store, flown } = slowStore(2);
  const insert = createClientStarts(createCommitter(store));
  const run = { id: "r" } as NewRun;
  const single = Array.from({ length: 400 }, () => insert([run]));
  await Promise.all(single);
  assertEquals(flown.starts.slice(0, 2), [200, 200]);
  const verdicts = await insert(Array.from({ length: 3_000 }, () => run));
  assertEquals([verdicts.length, flown.starts.at(-1)], [3_000, 3_000]);
});

test("one result on an idle store is a commit of its own, at once", async () => {
  const { store, flown } = slowStore(2);
  const committer = createCommitter(store);
  for (let i = 0; i < 5; i++) {
    committer.write(write(1, i));
    await committer.idle();
  }
  assertEquals(flown.commits, 5);
});

function write(seq: number, number: number, said: (name: string) => void = () => {}): PendingWrite {
  const onResult = (): void => said(`${seq} ${number}`);
  return { seq, epoch: 1, records: [], move: undefined, isSent: false, onResult, onDropped() {} };
}

/** What flew. */
interface Flown {
  commits: number;
  /** At once. */
  most: number;
  /** At once, of any run that had only one draft in each. */
  mostOfOneRun: number;
  /** Of each commit. */
  readonly starts: number[];
}

function slowStore(
  commitsAtOnce: number,
  random: Random = randomOf(1),
): { readonly store: Store; readonly flown: Flown } {
  const flown: Flown = { commits: 0, most: 0, mostOfOneRun: 0, starts: [] };
  const flying = new Set<Batch>();
  const store = {
    commitsAtOnce,
    async commit(batch: Batch): Promise<Receipt> {
      flying.add(batch);
      flown.commits++;
      flown.starts.push(batch.starts.length);
      flown.most = Math.max(flown.most, flying.size);
      for (const { seq } of batch.writes) {
        const carriers = [...flying].filter((other) => other !== batch && other.writes.some((one) => one.seq === seq));
        flown.mostOfOneRun = Math.max(flown.mostOfOneRun, carriers.length + 1);
      }
      await pause(random.next() * 4);
      flying.delete(batch);
      return {
        starts: batch.starts.map((_, seq) => ({ kind: "started", seq, owned: true, at: 0 })),
        writes: batch.writes.map(() => "accepted"),
      };
    },
  };
  return { store: store as unknown as Store, flown };
}
