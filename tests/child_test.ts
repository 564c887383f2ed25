import { assertEquals, assertRejects } from "@std/assert";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "./child.ts";
import { test } from "./harness.ts";
import { tempDir } from "./temp_dir.ts";

test("spawn() returns the lines, the exit code and the output of a child", async () => {
  await using child = spawn("./fixtures/talkative.ts", ["fail"], { MOOD: "calm" });
  assertEquals(await child.line(), "word fail");
  assertEquals(await child.until("mood"), "mood calm");
  assertEquals(await child.line(), "no line break");
  assertEquals(await child.line(), undefined);
  assertEquals(await child.exited, {
    code: 3,
    signal: null,
    stdout: "word fail\nmood calm\nno line break",
    stderr: "as asked\n",
  });
});

test("a child can be killed, and its exit contains the signal", async () => {
  await using child = spawn("./fixtures/talkative.ts", ["stay"]);
  await child.until("mood");
  child.kill("SIGSTOP");
  child.kill("SIGCONT");
  child.kill("SIGKILL");
  const { code, signal } = await child.exited;
  assertEquals({ code, signal }, { code: null, signal: "SIGKILL" });
});

test("waiting for a line that is never printed ends with the child", async () => {
  await using child = spawn("./fixtures/talkative.ts", ["fail"]);
  await assertRejects(() => child.until("good news"), Error, 'ended without printing "good news"');
});

test("a child does not outlive its scope", async () => {
  let exited;
  {
    await using child = spawn("./fixtures/talkative.ts", ["stay"]);
    exited = child.exited;
  }
  assertEquals((await exited).signal, "SIGKILL");
});

test("a temporary folder is deleted with its contents at the end of its scope", () => {
  let path;
  {
    using dir = tempDir();
    path = dir.path;
    writeFileSync(join(path, "note.txt"), "here");
  }
  assertEquals(existsSync(path), false);
});
