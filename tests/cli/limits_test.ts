/** The command about limits, on each store. */
import { assertEquals } from "@std/assert";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { ground, KINDS } from "../inspector/ground.ts";
import { until } from "../within.ts";
import { type Printed, sluice, tenantOf } from "./terminal.ts";

const order = workflow("order", {
  input: unchecked<string>(),
  limits: [{ name: "tenants", key: ({ input }) => [input, "orders"], max: 1 }],
}).event("paid", { schema: unchecked<string>() });
const call = workflow("call", { limits: [{ name: "calls", max: 1, per: "1h" }] })
  .event("done", { schema: unchecked<string>() });

for (const kind of KINDS) {
  test(`${kind}: limits are listed from the command line with places, holders and those that wait`, async () => {
    await using on = ground(kind);
    const list = async (...args: string[]): Promise<Printed> =>
      await sluice(["limits", on.url, ...args, ...tenantOf(on)]);
    await using runner = await createRunner(await on.open(), { workflows: [order, call] });
    assertEquals(await list(), { code: 0, out: "No limit is in use: nothing holds or waits for a slot.", err: "" });
    await runner.startMany(order, ["acme", "acme", "acme"]);
    await runner.start(call);
    await until(async () => (await runner.limits()).length === 2);
    const [tenants] = await runner.limits({ limit: "tenants" });
    const time = (at: number | undefined): string => new Date(at!).toISOString();
    const { out } = await list();
    assertEquals(out.split("\n").map((line) => line.split(/ {2,}/)), [
      ["LIMIT", "KEY", "PLACES", "HELD", "WAITING", "HELD SINCE", "WAITING SINCE"],
      ["tenants", "acme/orders", "1", "1", "2", time(tenants?.holders[0]?.since), time(tenants?.waiters[0]?.since)],
      ["calls", "-", "1 per 3600000 ms", "1", "0", "-", "-"],
    ]);
    assertEquals(JSON.parse((await list("--json", "--limit=tenants")).out), { lanes: [tenants] });
    assertEquals((await list("--limit=none", "--json")).out, '{"lanes":[]}');
  });
}
