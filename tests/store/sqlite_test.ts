import { join as joinPath } from "node:path";
import { openConnection } from "../../lib/store/sqlite/driver.ts";
import { openSqliteStore } from "../../lib/store/sqlite/store.ts";
import type { Store } from "../../lib/store/port/store.ts";
import { tempDir } from "../temp_dir.ts";
import { storeContract } from "./contract.ts";
import { TRANSACTIONS } from "./contract/transactions.ts";
import { manualClock, type Opened } from "./contract/fixture.ts";

storeContract("sqlite file", openFile);

storeContract("sqlite in memory", openMemory, {
  "watch() reports writes of other stores until it is stopped": "no other process can write to the memory of this one",
  "watch() reports of which kind a change by another store is": "no other process can write to the memory of this one",
  "watch() continues after a watcher has thrown": "no other process can write to the memory of this one",
  "a store may be closed twice": "the other store is the same one",
  "runs may be numbered beyond 2147483647": "no other connection can reach it to set the number",
  "runs may be numbered beyond 9007199254740982": "no other connection can reach it to set the number",
  ...Object.fromEntries(TRANSACTIONS.map((name) => [name, "no second connection reaches this process's memory"])),
});

async function openFile(): Promise<Opened> {
  const dir = tempDir();
  const clock = manualClock();
  const stores: Store[] = [];
  const path = joinPath(dir.path, "app.db");
  return { store: await another(), another, clock, numberFrom, [Symbol.asyncDispose]: dispose };

  async function another(): Promise<Store> {
    const store = await openSqliteStore(path, { clock, durability: "process" });
    stores.push(store);
    return store;
  }

  async function numberFrom(seq: number): Promise<void> {
    const connection = await openConnection(path);
    connection.exec(`insert into runs (seq, epoch, state, id, workflow, version, priority, created_at, ended_at)
                     values (${seq - 1}, 0, 'completed', 'last', 'gone', 'v0', 0, 0, 0)`);
    connection.close();
  }

  async function dispose(): Promise<void> {
    for (const store of stores) await store.close();
    dir[Symbol.dispose]();
  }
}

async function openMemory(): Promise<Opened> {
  const clock = manualClock();
  const store = await openSqliteStore(":memory:", { clock });
  const numberFrom = (): Promise<void> => Promise.reject(new Error("no other connection can reach it"));
  return {
    store,
    another: () => Promise.resolve(store),
    clock,
    numberFrom,
    [Symbol.asyncDispose]: () => store.close(),
  };
}
