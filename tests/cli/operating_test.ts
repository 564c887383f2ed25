/** An operator's day on the command line, as in docs/command_line.md, on each store. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRunner, unchecked, workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { ground, KINDS } from "../inspector/ground.ts";
import { tempDir } from "../temp_dir.ts";
import { type Printed, sluice, tenantOf } from "./terminal.ts";

const PAGE = fileURLToPath(new URL("../../docs/command_line.md", import.meta.url));

for (const kind of KINDS) {
  test(`${kind}: 200 failed runs are found, explained, retried, 50 cancelled, old ones deleted, one exported`, async () => {
    await using on = ground(kind);
    using dir = tempDir();
    let isDown = true;
    const order = workflow("order", { input: unchecked<number>() })
      .task("charge", {
        retry: 1,
        run({ input }) {
          if (isDown) throw new Error(input % 10 === 0 ? "card declined" : "connect ECONNREFUSED 10.0.0.7:443");
          return input;
        },
      })
      .returns("charge");
    const letter = workflow("newsletter").task("send", { run: () => "sent" });
    await using runner = await createRunner(await on.open(), { workflows: [order, letter], logger: false });
    const orders = await runner.startMany(order, Array.from({ length: 200 }, (_, at) => at));
    for (const run of orders) await run.outcome();
    await runner.startMany(letter, Array.from({ length: 50 }, () => undefined), { delay: "1h", tags: ["eu"] });
    for (let i = 0; i < 5; i++) await runner.execute(letter);
    const call = async (code: number, ...args: readonly string[]): Promise<Printed> => {
      const [first = "", second = ""] = args;
      const named = first === "runs" ? [first, second, on.url, ...args.slice(2)] : [first, on.url, ...args.slice(1)];
      const printed = await sluice([...named, ...tenantOf(on)]);
      assertEquals(printed.code, code, `${args.join(" ")}\n${printed.out}\n${printed.err}`);
      return printed;
    };

    assertStringIncludes((await call(0, "stats")).out, "failed        200");
    const list = (await call(0, "runs", "list", "--state=failed", "--since=1h", "--limit=3")).out.split("\n");
    assertEquals([list.length, list[1]!.includes("ECONNREFUSED")], [6, true]);
    const groups = (await call(0, "runs", "failures", "--workflow=order")).out.split("\n").map((line) =>
      line.split(/ {2,}/)
    );
    assertEquals(groups.map(([count, error]) => [count, error]), [
      ["RUNS", "ERROR"],
      ["180", "Error: connect ECONNREFUSED 10.0.0.7:443"],
      ["20", "Error: card declined"],
    ]);
    assertEquals((await call(0, "runs", "failures", "--error=none")).out, "No failed runs match.");

    isDown = false;
    const asked = await call(2, "runs", "retry", "--state=failed", "--error=ECONNREFUSED");
    assertStringIncludes(asked.err, "180 runs match; add --yes to retry them");
    assertEquals((await runner.stats()).runs.failed, 200);
    const retried = await call(0, "runs", "retry", "--state=failed", "--error=ECONNREFUSED", "--yes");
    assertEquals(retried.out, "180 runs are retried.");
    assertStringIncludes(retried.err, "20 of 180 runs");
    for (const [at, run] of orders.entries()) {
      assertEquals((await run.outcome()).status, at % 10 === 0 ? "failed" : "completed");
    }
    assertEquals((await call(0, "runs", "retry", "--error=ECONNREFUSED", "--yes", "--json")).out, '{"changed":0}');

    const letters = ["--workflow=newsletter", "--state=pending"];
    assertEquals((await call(0, "runs", "tag", ...letters, "--add=withdrawn", "--yes")).out, "50 runs are changed.");
    const cancelled = await call(0, "runs", "cancel", "--tag=withdrawn", "--reason=withdrawn", "--yes");
    assertEquals(cancelled.out, "50 runs are cancelled.");
    assertEquals((await runner.list({ state: "cancelled", limit: 1 })).runs[0]?.reason, "withdrawn");

    const old = ["--ended-until=2999-01-01", "--state=completed", "--workflow=newsletter"];
    assertEquals((await call(0, "runs", "delete", ...old, "--yes")).out, "5 runs are deleted.");
    const exported = JSON.parse((await call(0, "runs", "export", orders[0]!.id)).out);
    assertEquals([exported.run.state, exported.tasks[0].error.message], ["failed", "card declined"]);

    assertStringIncludes((await call(0, "workflows")).out, order.version);
    assertStringIncludes((await call(0, "runners")).out, "alive");
    assertEquals(JSON.parse((await call(0, "runners", "--json")).out).runners[0].workflows, ["order", "newsletter"]);
    assertStringIncludes((await call(0, "migrate")).out, "is up to date");
    if (kind === "sqlite") {
      const copy = join(dir.path, "copy.db");
      assertEquals((await call(0, "backup", copy)).out, `Copied into "${copy}".`);
      assertEquals((await sluice(["check", `sqlite://${copy}`])).out, "No problems found.");
    }
  });

  test(`${kind}: a command that may change many runs needs a run, filters or --all, and a confirmation`, async () => {
    await using on = ground(kind);
    const waits = workflow("waits").event("go", { schema: unchecked<number>() });
    await using runner = await createRunner(await on.open(), { workflows: [waits], logger: false });
    const [run] = await runner.startMany(waits, [undefined, undefined], { delay: "1h" });
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [["cancel"], 2, "pass a run, filters, or --all for all runs"],
      [["tag", "--add=a"], 2, "pass filters, or --all"],
      [["cancel", run!.id, "--state=pending"], 2, "pass a run or filters, not both"],
      [["cancel", "--all"], 2, "2 runs match; add --yes to cancel them"],
      [["cancel", "--all", "--workflow=waits", "--yes"], 2, "pass filters or --all, not both"],
      [["cancel", "--state=odd", "--yes"], 1, "state must be one of pending"],
      [["tag", "--all", "--yes"], 1, "no tag is stated"],
    ];
    for (const [[verb, ...args], code, message] of cases) {
      const printed = await sluice(["runs", verb!, on.url, ...args, ...tenantOf(on)]);
      assertEquals(printed.code, code, `${verb} ${args.join(" ")}: ${printed.err}`);
      assertStringIncludes(printed.err, message);
    }
    assertEquals((await runner.stats()).runs.pending, 2);
    await run!.cancel();
    // A single run needs no confirmation.
    const one = await sluice(["runs", "pause", on.url, "--state=pending", ...tenantOf(on)]);
    assertEquals([one.code, one.out], [0, "1 run is paused."]);
    const all = await sluice(["runs", "resume", on.url, "--all", "--yes", "--json", ...tenantOf(on)]);
    assertEquals([all.code, all.out], [0, '{"changed":1}']);
  });
}

test("the commands that the page about the command line shows exist, with their options", async () => {
  const lines = readFileSync(PAGE, "utf8").split("\n").filter((line) => line.startsWith("$ sluice "));
  assertEquals(lines.length > 10, true);
  for (const line of lines) {
    const words = line.slice("$ sluice ".length).split(" ");
    const name = words.slice(0, words[0] === "runs" || words[0] === "schedules" ? 2 : 1);
    const { code, out } = await sluice(["help", ...name]);
    assertEquals([code, out.startsWith(`Usage: sluice ${name.join(" ")} `)], [0, true], line);
    for (const [option] of line.matchAll(/--[a-z-]+/g)) assertStringIncludes(out, option, line);
  }
});
