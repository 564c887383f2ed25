import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { contextOf, createReadOnlyContext, metricsOf } from "../../lib/engine/client/client_context.ts";
import { silent } from "../../lib/logger.ts";
import { createClient, createRunner, workflow } from "../../mod.ts";
import { emptyStore } from "../empty_store.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";

const one = workflow("one").task("a", { run: () => 1 }).returns("a");

test("a runner and a client carry their context under a property that no copy of the object has", async () => {
  await using runner = await createRunner("sqlite::memory:", { workflows: [one] });
  await using store = emptyStore();
  await using client = await createClient(store.url, store.options);
  for (const object of [runner, client]) {
    assert(contextOf(object) !== undefined);
    assertEquals(contextOf({ ...object }), undefined);
  }
  assertEquals([contextOf(client)?.runner, contextOf({})], [undefined, undefined]);
});

test("the property is found by a symbol of the process, so that two copies of the library share it", async () => {
  await using runner = await createRunner("sqlite::memory:", { workflows: [one] });
  await runner.execute(one);
  const property = Object.getOwnPropertyDescriptor(runner, Symbol.for("@sluice/sluice/context"));
  assertEquals([property?.enumerable, property?.writable], [false, false]);
  assertStrictEquals(property?.value, contextOf(runner));
  assertEquals(metricsOf(runner)?.workflows[0]?.runs.completed, 1);
});

test("a read-only context reads runs and refuses to start any", async () => {
  await using on = emptyStore("memory");
  const store = await openPlace(on);
  const context = createReadOnlyContext(store, silent);
  await assertRejects(() => context.insert([]), TypeError, "Cannot start a run: this context is read-only");
  assertEquals((await context.store.counts()).completed, 0);
  await store.close();
});
