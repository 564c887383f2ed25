/** Outputs of further ancestors. */
import { assertEquals } from "@std/assert";
import { workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "./open.ts";

test("reads gives a body the outputs of further ancestors, and how they ended", async () => {
  const far = workflow("far")
    .task("quote", { run: () => ({ total: 5 }) })
    .task("check", {
      after: ["quote"],
      retry: 1,
      run: (): number => {
        throw new Error("down");
      },
    })
    .task("rebate", { after: ["quote"], when: () => false, run: () => 1 })
    .task("pack", { after: ["check", "rebate"], on: "settled", run: () => "packed" })
    .task("close", {
      after: ["pack"],
      reads: ["quote", "check", "rebate"],
      run: ({ pack, quote, check, rebate, status }) => ({
        pack,
        quote,
        checked: check ?? null,
        rebate: rebate ?? null,
        status,
      }),
    })
    .returns("close");
  await using opened = await open([far]);
  const outcome = await opened.clock.until(opened.runner.execute(far));
  assertEquals(outcome.outputs.close, {
    pack: "packed",
    quote: { total: 5 },
    checked: null,
    rebate: null,
    status: { pack: "completed", quote: "completed", check: "failed", rebate: "skipped" },
  });
});

test("an ancestor that is read and failed does not affect whether the task starts", async () => {
  const tolerant = workflow("tolerant")
    .task("first", { retry: 1, run: (): number => JSON.parse("x") })
    .task("second", { after: ["first"], on: "anyFailed", run: () => "handled" })
    .task("third", { after: ["second"], reads: ["first"], run: ({ second, first }) => [second ?? null, first ?? null] })
    .returns("third");
  await using opened = await open([tolerant]);
  const outcome = await opened.clock.until(opened.runner.execute(tolerant));
  assertEquals(outcome.status === "completed" && outcome.result, ["handled", null]);
});
