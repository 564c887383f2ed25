import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { StoreError } from "../../lib/errors.ts";
import { openSqliteStore } from "../../lib/store/sqlite/mod.ts";
import { parseStoreUrl } from "../../lib/store/url.ts";
import { test } from "../harness.ts";

test("each form of a store URL is parsed", () => {
  const paths = {
    "sqlite://./app.db": "./app.db",
    "sqlite://app.db": "app.db",
    "sqlite://data/app.db": "data/app.db",
    "sqlite://../app.db": "../app.db",
    "sqlite:///abs/app.db": "/abs/app.db",
    "sqlite::memory:": ":memory:",
    "sqlite://./my%20app%3F%25.db": "./my app?%.db",
    "sqlite://./a#b.db": "./a#b.db",
    "sqlite://./file:abs.db": "./file:abs.db",
  };
  for (const [url, path] of Object.entries(paths)) assertEquals(parseStoreUrl(url), { kind: "sqlite", path });
  for (
    const url of ["postgres://u:p@h:5432/db", "postgresql://h/db?sslmode=require", "POSTGRES://", "postgres://a b"]
  ) {
    assertEquals(parseStoreUrl(url), { kind: "postgres", url });
  }
});

test("every other URL is rejected with the reason", () => {
  const reasons = {
    "": "not of the form",
    "./app.db": "not of the form",
    "sqlite:app.db": "not of the form",
    "SQLITE://app.db": "not of the form",
    "mysql://u:secret@h/db": "not of the form",
    "postgres:/u:secret@h/db": "not of the form",
    "sqlite://u:secret@h/db": "like a server with a login",
    "sqlite://": "names no file",
    "sqlite:///abs/": "names no file",
    "sqlite://app.db?mode=ro": "has no options",
    "sqlite://file:abs.db": "is a URI",
    "sqlite://./app.db ": "white space",
    "sqlite://./app.db%20": "white space",
    "sqlite://%09app.db": "white space",
    "sqlite://100%.db": `does not begin an escape`,
    "sqlite://a%00b": "NUL",
    "sqlite://:memory:": "sqlite::memory:",
  };
  for (const [url, reason] of Object.entries(reasons)) {
    const error = assertThrows(() => parseStoreUrl(url), StoreError);
    assertEquals(error.code, "invalid_url");
    assertStringIncludes(error.message, reason);
    assertEquals(error.message.includes("secret"), false);
  }
});

test("openSqliteStore() opens the file of its URL, and rejects a Postgres URL without revealing its password", async () => {
  const store = await openSqliteStore("sqlite::memory:");
  assertEquals(store.name, "sqlite::memory:");
  await store.close();
  const error = await assertRejects(() => openSqliteStore("postgres://me:secret@h/db"), StoreError);
  assertEquals(
    error.message,
    'Cannot use the store URL: it is a Postgres URL; expected "sqlite://./app.db" or "sqlite::memory:"',
  );
});
