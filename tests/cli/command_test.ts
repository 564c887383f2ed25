/** The command line, on each store; in a process of its own where input, output and exit code matter. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { createRunner, type Runner, unchecked, workflow } from "../../mod.ts";
import { spawn } from "../child.ts";
import approval from "../fixtures/approval.ts";
import { test } from "../harness.ts";
import { type Ground, ground, KINDS } from "../inspector/ground.ts";
import { type Printed, sluice, tenantOf } from "./terminal.ts";

const MODULE = fileURLToPath(new URL("../fixtures/approval.ts", import.meta.url));

async function runnerOn(on: Ground): Promise<Runner<typeof approval[number]>> {
  return await createRunner(await on.open(), { workflows: approval, logger: false });
}

for (const kind of KINDS) {
  test(`${kind}: send delivers a validated payload, or one as it is`, async () => {
    await using on = ground(kind);
    await using runner = await runnerOn(on);
    const run = await runner.start("approval");
    const tenant = tenantOf(on);
    const wrong = await sluice(["send", on.url, run.id, "amount", "-1", `--workflows=${MODULE}`, ...tenant]);
    assertEquals([wrong.code, wrong.out], [2, ""]);
    const invalid = await sluice(["send", on.url, run.id, "amount", "0", `--workflows=${MODULE}`, ...tenant]);
    assertEquals([invalid.code, invalid.out], [1, ""]);
    assertStringIncludes(invalid.err, 'the payload for task "amount": not positive');
    assertEquals(await sluice(["send", on.url, run.id, "amount", "-", `--workflows=${MODULE}`, ...tenant], "41\n"), {
      code: 0,
      out: 'Task "amount" accepted the message.',
      err: "",
    });
    assertEquals(await sluice(["send", on.url, run.id, "amount", "7", "--unchecked", "--json", ...tenant]), {
      code: 3,
      out: '{"accepted":false}',
      err: "",
    });
    assertEquals((await sluice(["send", on.url, run.id, "note", '"yes"', "--unchecked", ...tenant])).code, 0);
    assertEquals(await run.result(), "yes: 42");
    const over = await sluice(["send", on.url, run.id, "note", "--unchecked", ...tenant]);
    assertEquals(over.code, 1);
    assertStringIncludes(over.err, "completed");
  });

  test(`${kind}: a payload that is absent is undefined`, async () => {
    await using on = ground(kind);
    await using runner = await runnerOn(on);
    const run = await runner.start("approval");
    const tenant = tenantOf(on);
    assertEquals((await sluice(["send", on.url, run.id, "note", `--workflows=${MODULE}`, ...tenant])).code, 0);
    assertEquals((await sluice(["send", on.url, run.id, "amount", "1", `--workflows=${MODULE}`, ...tenant])).code, 0);
    assertEquals(await run.result(), "none: 2");
  });

  test(`${kind}: send names what is wrong with a run, a task, a payload and a module`, async () => {
    await using on = ground(kind);
    await using runner = await runnerOn(on);
    const run = await runner.start("approval");
    const send = (...args: string[]): Promise<Printed> => sluice(["send", on.url, ...args, ...tenantOf(on)]);
    const none = "0199b26c-0000-7000-8000-000000000000";
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [[none, "amount", "1", "--unchecked"], 1, none],
      [[run.id, "amuont", "1", "--unchecked"], 1, 'has no task "amuont" (did you mean "amount"?)'],
      [[run.id, "sum", "1", "--unchecked"], 1, 'has no event "sum": this task is a task'],
      [[run.id, "amount", "1"], 2, "add --workflows=<module> to validate the payload, or --unchecked"],
      [[run.id, "amount", "1", "--unchecked", `--workflows=${MODULE}`], 2, "exclude each other"],
      [[run.id, "amount", "yes", "--unchecked"], 2, "<payload> is not JSON"],
      [[run.id, "--unchecked"], 2, "<task> is missing"],
      [[run.id, "amount", "1", "2", "--unchecked"], 2, '"2" is one argument too many'],
      [[run.id, "amount", "1", "--uncheckd"], 2, "--uncheckd"],
      [[run.id, "amount", "1", "--workflows=./none.ts"], 2, 'cannot import "./none.ts"'],
      [[run.id, "amount", "1", `--workflows=${fileURLToPath(import.meta.url)}`], 2, "exports no workflow"],
    ];
    for (const [args, code, message] of cases) {
      const printed = await send(...args);
      assertEquals([printed.code, printed.out], [code, ""], args.join(" "));
      assertStringIncludes(printed.err, message);
    }
    // No message was accepted, and the run still waits for both.
    assertEquals((await sluice(["send", on.url, run.id, "amount", "1", "--unchecked", ...tenantOf(on)])).code, 0);
    assertEquals((await sluice(["send", on.url, run.id, "note", "--unchecked", ...tenantOf(on)])).code, 0);
    assertEquals(await run.result(), "none: 2");
  });

  test(`${kind}: runs are shown, paused, resumed, cancelled and retried, and blocked tasks resolved`, async () => {
    await using on = ground(kind);
    let fails = true;
    const shaky = workflow("shaky").event("go", { schema: unchecked<number>() }).task("work", {
      after: ["go"],
      retry: 1,
      run() {
        if (fails) throw new Error("down");
        return 1;
      },
    });
    await using runner = await createRunner(await on.open(), { workflows: [shaky], logger: false });
    const run = await runner.start(shaky, undefined, { key: "k", tags: ["blue"] });
    const call = (...args: string[]): Promise<Printed> => sluice([...args, ...tenantOf(on)]);
    assertEquals((await call("runs", "pause", on.url, run.id, "--reason=lunch")).out, `Run "${run.id}" is now paused.`);
    const shown = await call("runs", "show", on.url, run.id);
    for (const part of [run.id, "shaky (version", "paused: ", "lunch", "blue", "go", "work", "0 attempts"]) {
      assertStringIncludes(shown.out, part);
    }
    assertEquals((await call("runs", "resume", on.url, run.id)).code, 0);
    assertEquals((await call("send", on.url, run.id, "go", "1", "--unchecked")).code, 0);
    assertEquals((await run.outcome()).status, "failed");
    const json = JSON.parse((await call("runs", "show", on.url, run.id, "--json")).out);
    assertEquals([json.run.state, json.tasks[1].error.message], ["failed", "down"]);
    const early = await call("resolve", on.url, run.id, "work", "--retry");
    assertEquals([early.code, early.err.includes("failed")], [1, true]);
    fails = false;
    assertEquals((await call("runs", "retry", on.url, run.id, "--json")).code, 0);
    assertEquals((await run.outcome()).status, "completed");
    const ended = await call("runs", "cancel", on.url, run.id);
    assertEquals([ended.code, ended.err.includes("completed")], [1, true]);
    const next = await runner.start(shaky);
    assertEquals((await call("runs", "cancel", on.url, next.id, "--reason=enough")).code, 0);
    const outcome = await next.outcome();
    assertEquals(outcome.status === "cancelled" && outcome.reason, "enough");
  });

  test(`${kind}: a run that is cancelled is compensated, unless it is cancelled with --no-undo`, async () => {
    await using on = ground(kind);
    const order = workflow("order")
      .task("pay", { run: () => 1, undo: () => {} })
      .event("go", { after: ["pay"], schema: unchecked<number>() });
    await using runner = await createRunner(await on.open(), { workflows: [order], logger: false });
    const call = (...args: string[]): Promise<Printed> => sluice([...args, ...tenantOf(on)]);
    for (const [flags, undone] of [[[], [{ taskId: "pay" }]], [["--no-undo"], []]] as const) {
      const run = await runner.start(order);
      for await (const event of run.events()) if (event.type === "run.waiting") break;
      assertEquals((await call("runs", "cancel", on.url, run.id, ...flags)).code, 0);
      const outcome = await run.outcome();
      assertEquals(outcome.status === "cancelled" && outcome.compensated, undone);
      const { out } = await call("runs", "show", on.url, run.id);
      assertEquals(out.includes("undo completed, 1 attempts"), undone.length === 1);
    }
  });

  test(`${kind}: resolve decides about a blocked task`, async () => {
    await using on = ground(kind);
    const once = workflow("once", { version: "1" })
      .task("charge", { guarantee: "atMostOnce", run: (): Promise<number> => new Promise(() => {}) })
      .returns("charge");
    const first = await createRunner(await on.open(), { workflows: [once], logger: false });
    const { id } = await first.start(once);
    while ((await first.get(id).tasks())[0]?.state !== "running") await new Promise((next) => setTimeout(next, 5));
    await first.stop({ timeout: 0 });
    await using runner = await createRunner(await on.open(), { workflows: [once], logger: false });
    const call = (...args: string[]): Promise<Printed> =>
      sluice(["resolve", on.url, id, "charge", ...args, ...tenantOf(on)]);
    for (const args of [[], ["--retry", "--error=x"], ["--output=x"], ["--retry", "--item=x"]]) {
      assertEquals((await call(...args)).code, 2);
    }
    assertEquals((await call("--retry", "--item=3")).code, 1);
    assertEquals(await call("--output=5"), { code: 0, out: 'Task "charge" is resolved.', err: "" });
    assertEquals(await runner.get(id).result(), 5);
  });
}

test("every command has a usage text that names its arguments and options", async () => {
  const { code, out } = await sluice([]);
  assertEquals(code, 0);
  const names = [...out.matchAll(/^ {2}((?:runs )?\w+) {2,}/gm)].map(([, name]) => name!);
  assertEquals(names, [
    "send",
    "resolve",
    "runs list",
    "runs show",
    "runs follow",
    "runs cancel",
    "runs pause",
    "runs resume",
    "runs retry",
    "runs tag",
    "runs delete",
    "runs failures",
    "runs export",
    "workflows",
    "runners",
    "limits",
    "stats",
    "migrate",
    "check",
    "inspect",
    "backup",
  ]);
  const seconds: Readonly<Record<string, string>> = {
    ...Object.fromEntries(["cancel", "pause", "resume", "retry", "delete"].map((verb) => [`runs ${verb}`, " [<run>]"])),
    ...Object.fromEntries(["runs list", "runs tag", "runs failures", "workflows"].map((name) => [name, " [options]"])),
    ...Object.fromEntries(
      ["runners", "limits", "stats", "migrate", "check", "inspect"].map((name) => [name, " [options]"]),
    ),
    backup: " <file>",
  };
  for (const name of names) {
    const help = await sluice(["help", ...name.split(" ")]);
    assertStringIncludes(help.out, `Usage: sluice ${name} <store>${seconds[name] ?? " <run>"}`);
    assertEquals(await sluice([...name.split(" "), "--help"]), help);
    for (const option of ["--schema=<name>", "--json", "--help"]) assertStringIncludes(help.out, option);
  }
});

test("the process exits with the code of the command, reads standard input, and creates no database", async () => {
  const script = "../lib/cli/mod.ts";
  const missing = spawn(script, ["send", "sqlite://./there-is-none.db", "id", "task", "1", "--unchecked"]);
  const unknown = spawn(script, ["sned"]);
  const memory = spawn(script, ["runs", "show", "sqlite::memory:", "id"]);
  const [first, second, third] = await Promise.all([missing.exited, unknown.exited, memory.exited]);
  assertEquals([first.code, first.stdout], [1, ""]);
  assertStringIncludes(first.stderr, "there is no such file");
  assertEquals([second.code, second.stdout], [2, ""]);
  assertStringIncludes(second.stderr, 'Unknown command "sned" (did you mean "send"?)');
  assertEquals(third.code, 1);
  assertStringIncludes(third.stderr, "a database in memory is empty");
});
