import { assert, assertEquals } from "@std/assert";
import { spawn as spawnProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { livenessOf, thisIsolate } from "../../lib/engine/fleet/process_liveness.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { openSite } from "./site.ts";

/** Without /proc only the end of a process can be detected. */
const hasProc = existsSync("/proc/self/stat");

test("the process of another runner is alive, stopped or dead", async () => {
  await using site = await openSite();
  const worker = site.worker();
  await worker.until("ready");
  const store = await openPlace(site.place);
  const [neighbour] = await store.runners();
  await store.close();
  assertEquals(neighbour!.pid, worker.pid);
  assertEquals(livenessOf(neighbour!, thisIsolate()), hasProc ? "alive" : "unknown");
  await site.freeze(worker);
  // The signal is delivered a little later.
  while (hasProc && !readFileSync(`/proc/${worker.pid}/stat`, "utf8").includes(") T")) {
    await new Promise((next) => setTimeout(next, 5));
  }
  assertEquals(livenessOf(neighbour!, thisIsolate()), "unknown");
  await site.kill(worker);
  assertEquals(livenessOf(neighbour!, thisIsolate()), "dead");
  assertEquals(livenessOf({ ...neighbour!, pidStartedAt: undefined }, thisIsolate()), "dead");
});

test("two runners of one isolate consider each other alive", () => {
  assertEquals(livenessOf(thisIsolate(), thisIsolate()), "alive");
});

test("a process that reuses the id of a dead process is distinguished from it", () => {
  const self = thisIsolate();
  assertEquals(livenessOf({ ...self, pidStartedAt: "1" }, self), "dead");
  const parent = { ...self, pid: process.ppid };
  assertEquals(livenessOf({ ...parent, pidStartedAt: "1" }, self), hasProc ? "dead" : "unknown");
});

test("without start times only a process that has ended is reported as dead", () => {
  const self = { ...thisIsolate(), pidStartedAt: undefined };
  assertEquals(livenessOf({ ...self, pid: process.ppid }, self), "unknown");
  assertEquals(livenessOf({ ...self, pid: 2 ** 30 }, self), "dead");
});

test("the liveness of runners on other hosts is unknown", () => {
  const self = thisIsolate();
  assertEquals(livenessOf({ ...self, host: "elsewhere", pid: 2 ** 30 }, self), "unknown");
  assertEquals(livenessOf({ ...self, host: "elsewhere", pidStartedAt: "1" }, self), "unknown");
  assertEquals(livenessOf({ ...self, host: "elsewhere", isolate: "another" }, self), "unknown");
});

test("an earlier isolate of the same thread is reported as dead", () => {
  const self = { ...thisIsolate(), thread: "7 100" };
  assertEquals(livenessOf({ ...self, isolate: "another" }, self), "dead");
  const main = { ...self, thread: "main" };
  assertEquals(livenessOf({ ...main, isolate: "another" }, main), "dead");
});

test("the liveness of an isolate whose thread cannot be identified is unknown", () => {
  const self = thisIsolate();
  assertEquals(livenessOf({ ...self, isolate: "another", thread: undefined }, self), "unknown");
  assertEquals(livenessOf({ ...self, isolate: "another", thread: "main" }, { ...self, thread: "7 100" }), "unknown");
  assertEquals(livenessOf({ ...self, isolate: "" }, self), "unknown");
});

test("a host is identified by its boot id and its process namespace", () => {
  const { host } = thisIsolate();
  assertEquals(thisIsolate().host, host);
  if (existsSync("/proc/sys/kernel/random/boot_id")) {
    assert(host.includes(readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()));
    assert(/pid:\[\d+\]/.test(host));
  }
});

test("a process that has ended is reported as dead before its parent has read the exit status", async () => {
  // The shell becomes `sleep` and never reads the status of its child. The child must not end before that, because the
  // shell would read its status.
  const parent = spawnProcess("sh", ["-c", "sleep 0.1 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const closed = new Promise((resolve) => parent.once("close", resolve));
  const pid = Number(await new Promise<string>((resolve) => parent.stdout.setEncoding("utf8").once("data", resolve)));
  try {
    // Other systems report it as a live process.
    if (!hasProc) return;
    while (!readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z")) await new Promise((next) => setTimeout(next, 5));
    // Its id and start time match; only its state shows that it has ended.
    const pidStartedAt = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[19]!;
    assertEquals(livenessOf({ ...thisIsolate(), pid, pidStartedAt }, thisIsolate()), "dead");
  } finally {
    parent.kill("SIGKILL");
    await closed;
  }
});
