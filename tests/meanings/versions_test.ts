/** Which definitions are stored. */
import { assertEquals } from "@std/assert";
import { createClient, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";

test("a client stores the definitions of what it starts", async () => {
  await using place = emptyStore();
  const greet = workflow("greet").task("hello", { run: () => "hello" });
  await using client = await createClient(place.url, { ...place.options, workflows: [greet] });
  await client.start(greet);
  assertEquals(await place.query("select workflow, version from workflows"), [
    { workflow: "greet", version: greet.version },
  ]);
});
