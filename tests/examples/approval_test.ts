import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { spawn } from "../child.ts";
import { test } from "../harness.ts";
import { tempDir } from "../temp_dir.ts";

async function approval(db: string, ...args: readonly string[]): Promise<string> {
  await using child = spawn("../examples/approval.ts", [...args, `--db=${db}`]);
  const { code, stdout, stderr } = await child.exited;
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout.trim();
}

test("an order waits for its approval while no process runs, and is charged and closed afterwards", async () => {
  using dir = tempDir();
  const db = join(dir.path, "orders", "approval.db");
  assertEquals(await approval(db, "list"), "no order waits");
  assertEquals(await approval(db, "order", "250"), "250 articles are ordered; the order waits for an approval");
  assertEquals(await approval(db, "order", "2"), "2 articles are ordered; the order waits for an approval");
  const waiting = (await approval(db, "list")).split("\n");
  assertEquals(waiting.length, 2);
  assertMatch(waiting[0]!, /task "approval" has waited for a message for \d+ m?s and stops waiting in 14 d/);
  assertEquals(await approval(db, "approve", "ann"), "approved by ann, charged 750 €");
  assertEquals(await approval(db, "approve", "bob"), "approved by bob, charged 6 €");
  assertEquals(await approval(db, "approve", "eve"), "no order waits");
});

test("an unknown command prints the existing ones", async () => {
  await using child = spawn("../examples/approval.ts", ["reject"]);
  const { code, stderr } = await child.exited;
  assertEquals([code, stderr.trim()], [2, "Usage: approval.ts order ARTICLES | list | approve NAME  [--db=FILE]"]);
});
