/** The conversations of tests/worker/conformance, each on a store and a connection of its own. */
import { assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { METHODS } from "../../lib/worker/methods.ts";
import { serveWorker } from "../../lib/worker/mod.ts";
import { backend, emptyStore } from "../empty_store.ts";
import { skipped, test } from "../harness.ts";
import { converse, headOf, matches, type Names, namesOf } from "./conversation.ts";
import { memoryTransports } from "./memory_transport.ts";

const FOLDER = fileURLToPath(new URL("conformance/", import.meta.url));
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl")).sort();

for (const file of FILES) {
  const text = readFileSync(`${FOLDER}${file}`, "utf8");
  const { about, store: needed = backend } = headOf(text);
  const title = `${file.replace(".jsonl", "")}: ${about}`;
  if (needed !== backend) {
    skipped(title, `it needs ${needed}`);
    continue;
  }
  test(title, async () => {
    await using store = emptyStore();
    const { engine, worker } = memoryTransports();
    const ended = serveWorker(engine).then((end) => end === "closed" ? 0 : 2);
    try {
      await converse(text, { transport: worker, ended }, namesOf(store));
    } finally {
      worker.close();
      await ended;
    }
  });
}

test("each method of the protocol is in a conversation", () => {
  const texts = FILES.map((file) => readFileSync(`${FOLDER}${file}`, "utf8")).join("");
  assertEquals(Object.keys(METHODS).filter((name) => !texts.includes(`"method": "${name}"`)), []);
});

test("a pattern matches what has its members, and binds names", () => {
  const names: Names = new Map();
  assertEquals(matches({ a: "$x", b: ["$x"] }, { a: 1, b: [1], c: 3 }, names), true);
  assertEquals([...names], [["$x", 1]]);
  assertEquals(matches({ a: "$x" }, { a: 2 }, names), false);
  assertEquals(matches({ a: "$absent" }, { a: 2 }, names), false);
  assertEquals(matches([1], [1, 2], names), false);
  assertEquals(matches("$text:ell", "hello", names), true);
  assertEquals(matches({ $contains: { a: "$z" } }, [{ b: 1 }, { a: 7 }], names), true);
  assertEquals(names.get("$z"), 7);
  assertEquals(matches({ $contains: { a: "$z" } }, [{ a: 8 }], names), false);
  assertEquals(matches({ a: 1, b: "$y" }, { a: 2, b: 3 }, names), false);
  assertEquals(names.has("$y"), false);
});
