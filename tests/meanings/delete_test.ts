/** Deleting a run by its handle. */
import { assertEquals, assertRejects } from "@std/assert";
import { RunNotFoundError, RunStateError, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

const ship = workflow("ship").event("received", { schema: unchecked<string>() });
const order = workflow("order").subworkflow("ship", { workflow: ship }).returns("ship");

test("delete() deletes a run that has ended, with its child runs, and frees its key", async () => {
  await using opened = await open([order, ship]);
  const { runner, clock } = opened;
  const run = await runner.start(order, undefined, { key: "k" });
  await clock.settle();
  const [child] = await run.children();
  await assertRejects(() => run.delete(), RunStateError, `Cannot delete run "${run.id}"`);
  await runner.send(child!.id, "received", "yes");
  await clock.until(run.outcome());
  await assertRejects(() => runner.get(child!.id).delete(), RunStateError, `it is a child of run "${run.id}"`);
  await run.delete();
  for (const id of [run.id, child!.id]) await assertRejects(() => runner.get(id).status(), RunNotFoundError);
  await assertRejects(() => run.delete(), RunNotFoundError);
  assertEquals((await runner.list()).runs, []);
  const again = await runner.start(order, undefined, { key: "k" });
  assertEquals([again.isNew, again.id === run.id], [true, false]);
});
