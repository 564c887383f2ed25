import { assertEquals } from "@std/assert";
import type { Store } from "../../lib/store/port.ts";
import { test } from "../harness.ts";
import { storeContract } from "./contract.ts";
import { manualClock, type Opened } from "./contract/fixture.ts";
import { testSchema } from "./postgres_schema.ts";

const TABLES = "runs, tasks, workflows, events, runners";

// One for all: to make a schema for each test would take as long as the tests.
let made: ReturnType<typeof testSchema> | undefined;

storeContract("postgres", openSchema);

test("postgres: the contract leaves no connection and no schema behind", async () => {
  if (made === undefined) return;
  const { schema, sql } = made;
  const [open] =
    await sql`select count(*) as n from pg_stat_activity where application_name like ${`sluice%${schema}`}`;
  assertEquals(open?.["n"], 0);
  await made[Symbol.asyncDispose]();
});

async function openSchema(): Promise<Opened> {
  const clock = manualClock();
  const stores: Store[] = [];
  const on = made ??= testSchema();
  const store = await another();
  await on.sql.unsafe(`truncate ${TABLES} restart identity`);
  return {
    store,
    another,
    clock,
    async numberFrom(seq) {
      await on.sql`select setval('runs_seq_seq', ${seq}, false)`;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((one) => one.close()));
    },
  };

  async function another(): Promise<Store> {
    const one = await on.open({ clock });
    stores.push(one);
    return one;
  }
}
