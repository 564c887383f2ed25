/**
 * A process that debounces starts with the same keys as other processes at the same time: within transactions, which
 * record the order of their commits, and without one. It prints the results of the starts without a transaction.
 *
 * @module
 */
import process from "node:process";
import postgres from "postgres";
import { createClient, unchecked, type Workflow, workflow } from "../../mod.ts";
import { type NativeDatabase, openNative } from "../../lib/store/sqlite/driver.ts";
import type { Step } from "../../lib/definition/steps.ts";
import type { SqliteTransaction } from "../../lib/store/sqlite/mod.ts";
import { randomOfProcess } from "../random.ts";
import { openAt, pay, type Place, type Tx } from "./place.ts";

/** The configuration of a debouncer. */
export interface DebouncerConfig {
  /** The database. */
  readonly place: Place;
  /** The inputs of the runs that it starts. */
  readonly numbers: readonly number[];
}

/** The result of a start. */
export interface Started {
  readonly id: string;
  readonly n: number;
  readonly isNew: boolean;
}

/** A workflow that returns its input. */
export function seen(): Workflow<"seen", number, Step<"work", number>, "work"> {
  return workflow("seen", { version: "1", input: unchecked<number>() })
    .task("work", { run: ({ input }) => input })
    .returns("work");
}

if (import.meta.main) await main(JSON.parse(process.argv[2]!));

async function main({ place, numbers }: DebouncerConfig): Promise<void> {
  const random = randomOfProcess();
  const store = await openAt(place);
  const client = await createClient(store, { workflows: [seen()] });
  const { begin, end } = await opened(place);
  for (const n of numbers) {
    await begin(async (tx) => {
      const { id, isNew } = await client.start("seen", n, { tx, debounce: { key: "within", delay: 20 } });
      await pay(tx, JSON.stringify({ id, n, isNew } satisfies Started));
    });
    const { id, isNew } = await client.start("seen", n, { debounce: { key: "alone", delay: 20 } });
    console.log(JSON.stringify({ id, n, isNew } satisfies Started));
    if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.below(80)));
  }
  await client.stop();
  await store.close();
  await end();
}

interface Transactions {
  begin(work: (tx: Tx) => Promise<void>): Promise<void>;
  end(): Promise<void>;
}

async function opened(place: Place): Promise<Transactions> {
  if (place.kind === "postgres") {
    const sql = postgres(place.url, { max: 1, connection: { search_path: place.schema! } });
    return { begin: async (work) => void await sql.begin((tx) => work(tx)), end: () => sql.end() };
  }
  const tx = await openNative(place.url.replace("sqlite://", "")) as NativeDatabase & SqliteTransaction;
  tx.exec("pragma busy_timeout = 60000");
  return {
    async begin(work) {
      tx.exec("begin immediate");
      await work(tx);
      tx.exec("commit");
    },
    end: () => Promise.resolve(tx.close()),
  };
}
