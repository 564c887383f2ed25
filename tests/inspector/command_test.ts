/** The inspector as a command, in a process of its own. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { RunsPage } from "../../lib/inspector/shapes.ts";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { greet, ground, KINDS, runnerOn } from "./ground.ts";

const SCRIPT = "../lib/inspector/mod.ts";

for (const kind of KINDS) {
  test(`${kind}: the command serves a database on this machine, without writing, until it receives a signal`, async () => {
    await using on = ground(kind);
    await using runner = await runnerOn(await on.open());
    await runner.execute(greet);
    const schema = on.schema === undefined ? [] : [`--schema=${on.schema}`];
    await using child = spawn(SCRIPT, [on.url, "--port=0", "--title=Shop", ...schema]);
    const url = /http:\/\/localhost:\d+\//.exec(await child.until("http://"))![0].replace("localhost", "127.0.0.1");
    const page: RunsPage = await (await fetch(`${url}api/runs`)).json();
    assertEquals(page.runs.map(({ workflow, state }) => [workflow, state]), [["greet", "completed"]]);
    assertStringIncludes(await (await fetch(`${url}runs`)).text(), "Shop");
    await runner.execute(greet);
    const later: RunsPage = await (await fetch(`${url}api/runs`)).json();
    assertEquals(later.runs.length, 2);
    const live = await fetch(`${url}api/live`);
    child.kill("SIGTERM");
    const { code, stderr } = await child.exited;
    await live.body?.cancel().catch(() => {});
    assertEquals([code, stderr], [0, ""]);
  });
}

test("the command says what is wrong, and makes nothing", async () => {
  const outputs = await Promise.all([
    [[], "Usage:"],
    [["sqlite://./there/is/none.db"], 'the directory "./there/is" does not exist'],
    [["sqlite::memory:"], "a database in memory is empty"],
    [["mysql://x"], "Cannot use the store URL"],
    [["sqlite://./app.db", "--port=x"], 'port "x"'],
    [["sqlite://./app.db", "--pot=1"], "--pot"],
  ].map(async ([args, message]) => ({ message, exit: await spawn(SCRIPT, args as string[]).exited })));
  for (const { message, exit } of outputs) {
    assertEquals([exit.code, exit.stdout], [1, ""]);
    assertStringIncludes(exit.stderr, message as string);
  }
});
