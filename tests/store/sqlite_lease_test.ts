/** The lease on SQLite, where a user transaction blocks all other writes. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join as joinPath } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "../../lib/store/port/store.ts";
import type { TransactionRequest } from "../../lib/store/port/transactions.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";
import { until } from "../within.ts";
import { join, type ManualClock, manualClock, record, startOwned, T0 } from "./contract/fixture.ts";

interface File extends AsyncDisposable {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly path: string;
  /** Another store on the file, as in another process. */
  readonly other: Store;
}

async function openFile(): Promise<File> {
  const dir = tempDir();
  const path = joinPath(dir.path, "app.db");
  const clock = manualClock();
  const [store, other] = [await openSqliteStore(path, { clock }), await openSqliteStore(path, { clock })];
  return {
    store,
    other,
    clock,
    path,
    async [Symbol.asyncDispose]() {
      await store.close();
      await other.close();
      dir[Symbol.dispose]();
    },
  };
}

/** Runs a transaction whose body waits for `finish`; resolves once the body has begun. */
async function transaction(store: Store, { seq, signal }: { seq: number; signal?: AbortSignal }) {
  const begun = Promise.withResolvers<void>();
  const body = Promise.withResolvers<void>();
  const request: TransactionRequest = {
    seq,
    epoch: 1,
    item: -1,
    task: "a",
    async body() {
      begun.resolve();
      await body.promise;
      return record("a");
    },
    signal: signal ?? new AbortController().signal,
    committing() {},
  };
  const ended = store.transact(request);
  ended.catch(() => {});
  await begun.promise;
  return { ended, finish: () => body.resolve(), fail: (error: Error) => body.reject(error) };
}

test("a renewal during a user transaction succeeds immediately and is committed with it", async () => {
  await using file = await openFile();
  const { store, other, clock } = file;
  const { runner, seq } = await startOwned(store);
  const { ended, finish } = await transaction(store, { seq });
  clock.advance(20_000);
  assertEquals((await store.renew(runner, 30_000)).alive, true);
  clock.advance(20_000);
  finish();
  assertEquals((await ended).kind, "committed");
  assertEquals((await other.runners())[0]?.leaseUntil, T0 + 40_000 + 30_000);
});

test("a renewal during a user transaction is kept if the transaction is rolled back", async () => {
  await using file = await openFile();
  const { store, other, clock } = file;
  const { runner, seq } = await startOwned(store);
  const { ended, fail } = await transaction(store, { seq });
  clock.advance(40_000);
  assertEquals((await store.renew(runner, 30_000)).alive, true);
  fail(new Error("no"));
  await assertRejects(() => ended, Error, "no");
  assertEquals((await other.runners())[0]?.leaseUntil, T0 + 40_000 + 30_000);
  assertEquals(await other.journal(seq), []);
  assertEquals((await other.recover({ dead: [], recoveryLimit: 5, limit: 10 })).released, []);
});

test("a renewal that waits for another process succeeds once a transaction of its own process has the lock", async () => {
  await using file = await openFile();
  const { store, other, clock, path } = file;
  const { runner, seq } = await startOwned(store);
  const locker = new DatabaseSync(path);
  locker.exec("begin immediate");
  const waiting = transaction(store, { seq });
  const renewal = store.renew(runner, 30_000);
  clock.advance(25_000);
  locker.exec("rollback");
  const { ended, finish } = await waiting;
  assertEquals((await renewal).alive, true);
  finish();
  await ended;
  assertEquals((await other.runners())[0]?.leaseUntil, T0 + 25_000 + 30_000);
  locker.close();
});

test("a runner whose row was deleted is notified also during a user transaction", async () => {
  await using file = await openFile();
  const { store } = file;
  const { seq } = await startOwned(store);
  const gone = await join(store);
  await store.leave(gone);
  const { ended, finish } = await transaction(store, { seq });
  assertEquals(await store.renew(gone, 30_000), { alive: false, inbox: [], owned: [] });
  finish();
  await ended;
});

test("a write that waited for another process waits for a transaction of its own process without retries", async () => {
  await using file = await openFile();
  const { store, path } = file;
  const { seq } = await startOwned(store);
  const locker = new DatabaseSync(path);
  locker.exec("begin immediate");
  const write = join(store);
  const waiting = transaction(store, { seq });
  // Both fail at least once because of the lock.
  await until(() => store.counters().retries >= 4);
  locker.exec("rollback");
  const { ended, finish } = await waiting;
  const before = store.counters().retries;
  await new Promise((resolve) => setTimeout(resolve, 300));
  // A retry that was in progress when the transaction began is the last one.
  assert(store.counters().retries - before <= 1, `${store.counters().retries - before} tries beside the transaction`);
  finish();
  await Promise.all([ended, write]);
  locker.close();
});
