/** Arrays in the text format of Postgres, which a server of the tests reads back. */
import { assertEquals, assertRejects } from "@std/assert";
import postgres from "postgres";
import { numbers, sparse, texts } from "../../lib/store/postgres/write/arrays.ts";
import { test } from "../harness.ts";
import { databaseUrl } from "../postgres_server.ts";

// Before any test, because it may start a server that outlives the tests.
const url = await databaseUrl();

const TEXTS = [
  "",
  "null",
  "plain",
  '{"json": ["a", 1]}',
  'a \\ and a " and {braces}, commas',
  "\\n is not a new line",
  "new\nline, tab\t, return\r, bell\u0007, delete\u007f",
  "é, ж, 漢, 🎉, \u2028",
  "x".repeat(5_000),
  `"${"long ".repeat(1_000)}"`,
];

test("texts are transferred unchanged, independent of neighbouring elements", async () => {
  await using server = connect();
  for (const text of TEXTS) assertEquals(await server.read("text", texts([text])), [text]);
  assertEquals(await server.read("text", texts(TEXTS)), TEXTS);
  assertEquals(await server.read("text", texts(["plain", undefined, "null"])), ["plain", null, "null"]);
  assertEquals(await server.read("text", texts(["new\nline", undefined, "null"])), ["new\nline", null, "null"]);
  assertEquals(await server.read("text", texts(["half a pair \ud83c"])), ["half a pair \ufffd"]);
  assertEquals(await server.read("text", texts([])), []);
});

test("numbers are transferred unchanged, and missing ones as null", async () => {
  await using server = connect();
  assertEquals(await server.read("bigint", numbers([1, -2, 1_800_000_000_000])), ["1", "-2", "1800000000000"]);
  assertEquals(await server.read("bigint", numbers([1, undefined, 0])), ["1", null, "0"]);
  assertEquals(await server.read("bigint", sparse([7, undefined, 8, undefined])), ["7", null, "8"]);
  assertEquals(await server.read("bigint", sparse([undefined])), []);
});

test("a number that is not an integer is rejected", async () => {
  await using server = connect();
  for (const wrong of [NaN, Infinity, 0.5]) {
    await assertRejects(() => server.read("bigint", numbers([1, wrong])));
    await assertRejects(() => server.read("bigint", sparse([1, wrong])));
  }
});

function connect(): AsyncDisposable & { read(type: string, array: string): Promise<unknown[]> } {
  const sql = postgres(url, { max: 1, onnotice() {} });
  return {
    async read(type, array) {
      return (await sql.unsafe(`select unnest($1::text::${type}[])::text as item`, [array])).map(({ item }) => item);
    },
    [Symbol.asyncDispose]: () => sql.end(),
  };
}
