/** Each statement that writes fails once with an error of each class that the server may raise. */
import { assertEquals } from "@std/assert";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { silent } from "../../lib/logger.ts";
import { openPostgresStore } from "../../lib/store/postgres/store.ts";
import { test } from "../harness.ts";
import { testSchema } from "../store/postgres_schema.ts";

// One code of each class that does not concern the data of a row, and some that poolers and managed servers use.
const CODES = [
  ...["01000", "02000", "03000", "08006", "09000", "0A000", "0B000", "0F000", "0L000", "0P000", "20000"],
  ...["25006", "26000", "27000", "28000", "2B000", "2D000", "2F000", "34000", "38000", "39000", "3B000", "3D000"],
  ...["3F000", "40001", "40P01", "42501", "42601", "42703", "42883", "42P01", "44000", "53100", "53200", "53300"],
  ...["55000", "55P03", "57000", "57014", "58000", "58030", "72000", "F0000", "HV000", "P0001", "XX000", "XX001"],
];
const TABLES = ["runs", "tasks", "runners"];

const flow = workflow("flow", { input: unchecked<number>() })
  .task("a", { run: ({ input, ctx }) => ({ input, attempt: ctx.attempt }) })
  .task("b", { after: ["a"], when: () => true, run: ({ a, ctx }) => [a.attempt, ctx.attempt] })
  .returns("b");

test("postgres: only errors that concern the data of a row fail a run or consume an attempt", async () => {
  await using on = testSchema();
  const store = await openPostgresStore(on.url, { schema: on.schema, logger: silent });
  await using _closed = { [Symbol.asyncDispose]: () => store.close() };
  await using runner = await createRunner(store, { workflows: [flow] });
  await on.sql.unsafe(`
    create table fault (code text, times int);
    create sequence raised;
    create function raise_fault() returns trigger language plpgsql as $$
      declare fault "${on.schema}".fault;
      begin
        select * into fault from "${on.schema}".fault;
        if found and nextval('"${on.schema}".raised') <= fault.times then
          raise exception 'injected' using errcode = fault.code;
        end if;
        return null;
      end $$`);
  for (const table of TABLES) {
    await on.sql.unsafe(
      `create trigger fault after insert or update or delete on ${table} for each statement execute function raise_fault()`,
    );
  }
  const wrong: string[] = [];
  for (const code of CODES) {
    await on.sql`delete from fault`;
    await on.sql`select setval('raised', 1, false)`;
    await on.sql`insert into fault values (${code}, 4)`;
    const outcomes = await Promise.all([0, 1, 2].map((number) => runner.execute(flow, number)));
    const results = outcomes.map((outcome) => outcome.status === "completed" ? outcome.result : outcome.status);
    if (JSON.stringify(results) !== JSON.stringify([[1, 1], [1, 1], [1, 1]])) wrong.push(`${code}: ${results}`);
  }
  assertEquals(wrong, []);
});
