/** The conversations of tests/worker/conformance, each on a store and a connection of its own. */
import { assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serveWorker } from "../../lib/worker/mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { converse, matches, type Names } from "./conversation.ts";
import { memoryTransports } from "./memory_transport.ts";

const FOLDER = fileURLToPath(new URL("conformance/", import.meta.url));

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl")).sort()) {
  const text = readFileSync(`${FOLDER}${file}`, "utf8");
  const { about } = JSON.parse(text.slice(0, text.indexOf("\n")));
  test(`${file.replace(".jsonl", "")}: ${about}`, async () => {
    await using store = emptyStore();
    const { engine, worker } = memoryTransports();
    const ended = serveWorker(engine).then((end) => end === "closed" ? 0 : 2);
    const names: Names = new Map<string, unknown>([["$url", store.url], ["$options", store.options]]);
    try {
      await converse(text, { transport: worker, ended }, names);
    } finally {
      worker.close();
      await ended;
    }
  });
}

test("a pattern matches what has its members, and binds names", () => {
  const names: Names = new Map();
  assertEquals(matches({ a: "$x", b: ["$x"] }, { a: 1, b: [1], c: 3 }, names), true);
  assertEquals([...names], [["$x", 1]]);
  assertEquals(matches({ a: "$x" }, { a: 2 }, names), false);
  assertEquals(matches({ a: "$absent" }, { a: 2 }, names), false);
  assertEquals(matches([1], [1, 2], names), false);
  assertEquals(matches("$text:ell", "hello", names), true);
  assertEquals(matches({ a: 1, b: "$y" }, { a: 2, b: 3 }, names), false);
  assertEquals(names.has("$y"), false);
});
