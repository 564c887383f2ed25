/** The page of limits, and what the pages of runs say of limits, on each store. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { LimitsPage } from "../../lib/inspector/limit_shape.ts";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { until } from "../within.ts";
import { ask, ground, KINDS } from "./ground.ts";

const order = workflow("order", { input: unchecked<string>(), limits: [{ name: "tenants", max: 5 }] })
  .subworkflow("pay", {
    workflow: workflow("payment").event("paid", { schema: unchecked<string>() }),
    limits: [{ name: "payments", max: 1, key: ({ input }) => ["<acme>", input] }],
  });

for (const kind of KINDS) {
  test(`${kind}: the page of limits shows who holds the places of each key, and who waits`, async () => {
    await using on = ground(kind);
    const store = await on.open();
    await using runner = await createRunner(store, { workflows: [order] });
    const [first, second] = [await runner.start(order, "x"), await runner.start(order, "x")];
    await until(async () => (await runner.limits({ limit: "payments" }))[0]?.waiting === 1);
    const asked = ask(runner);
    const page: LimitsPage = await (await asked("/api/limits")).json();
    assertEquals([page.lanes.length, page.hasMore], [2, false]);
    const [payments, tenants] = page.lanes;
    const [lane] = await runner.limits({ limit: "payments" });
    const [holder, waiter] = [lane!.holders[0]!, lane!.waiters[0]!];
    assertEquals([holder.runId, waiter.runId].toSorted(), [first.id, second.id].toSorted());
    const run = (id: string) => ({ id, href: `/runs/${id}`, task: "pay" });
    assertEquals<unknown>(payments, {
      limit: "payments",
      href: "/limits?limit=payments",
      key: ["<acme>", "x"],
      max: 1,
      held: 1,
      waiting: 1,
      holders: [{ run: run(holder.runId), workflow: "order", since: holder.since }],
      waiters: [{ run: run(waiter.runId), workflow: "order", since: waiter.since }],
    });
    assertEquals([tenants?.limit, tenants?.max, tenants?.held, tenants?.waiting], ["tenants", 5, 2, 0]);
    const html = await (await asked("/limits?limit=payments")).text();
    for (const part of ["&lt;acme&gt; / x", `/runs/${holder.runId}`, `/runs/${waiter.runId}`]) {
      assertStringIncludes(html, part);
    }
    assert(!html.includes("tenants"), html);
    await until(async () => (await runner.get(waiter.runId).tasks())[0]?.state === "waiting");
    const runHtml = await (await asked(`/runs/${waiter.runId}`)).text();
    assertStringIncludes(runHtml, "waits for limit &quot;payments&quot;");
    assertStringIncludes(runHtml, "Waits for a limit");
    const workflowHtml = await (await asked("/workflows/order")).text();
    assertStringIncludes(workflowHtml, ">payments</a>: 1 by key");
    assertStringIncludes(workflowHtml, '<a href="/limits?limit=tenants">tenants</a>: 5');
    const hidden: LimitsPage =
      await (await ask(runner, { redact: ["limits.payments.key"] })("/api/limits?limit=payments")).json();
    assertEquals(hidden.lanes[0]?.key, ["[redacted]", "[redacted]"]);
    const shown = await (await ask(runner, { redact: ["limits.*.key"] })(`/runs/${waiter.runId}`)).text();
    assert(!shown.includes("&lt;acme&gt;"), shown);
  });
}
