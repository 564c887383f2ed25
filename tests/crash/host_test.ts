import { assert, assertEquals } from "@std/assert";
import { spawn as spawnProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { isDeadNeighbour, thisProcess } from "../../lib/engine/host.ts";
import { test } from "../harness.ts";
import { openPlace } from "../place.ts";
import { openSite } from "./site.ts";

test("a neighbour is known to be dead once its process is gone, and not before", async () => {
  await using site = await openSite();
  const worker = site.worker();
  await worker.until("ready");
  const store = await openPlace(site.place);
  const [neighbour] = await store.runners();
  await store.close();
  assertEquals(neighbour!.pid, worker.pid);
  assertEquals(isDeadNeighbour(neighbour!, thisProcess()), false);
  await site.freeze(worker);
  assertEquals(isDeadNeighbour(neighbour!, thisProcess()), false);
  await site.kill(worker);
  assertEquals(isDeadNeighbour(neighbour!, thisProcess()), true);
  assertEquals(isDeadNeighbour({ ...neighbour!, pidStartedAt: undefined }, thisProcess()), true);
});

test("two runners of one process do not take each other for dead", () => {
  assertEquals(isDeadNeighbour(thisProcess(), thisProcess()), false);
});

test("a process that has the number of a dead one is not taken for it", () => {
  const self = thisProcess();
  assertEquals(isDeadNeighbour({ ...self, pidStartedAt: "1" }, self), true);
  const parent = { ...self, pid: process.ppid };
  assertEquals(isDeadNeighbour({ ...parent, pidStartedAt: "1" }, self), existsSync("/proc/self/stat"));
});

test("where beginnings cannot be told, only a process that is gone is known to be dead", () => {
  const self = { ...thisProcess(), pidStartedAt: undefined };
  assertEquals(isDeadNeighbour({ ...self, pid: process.ppid }, self), false);
  assertEquals(isDeadNeighbour({ ...self, pid: 2 ** 30 }, self), true);
});

test("nothing is known of runners on other hosts", () => {
  const self = thisProcess();
  assertEquals(isDeadNeighbour({ ...self, host: "elsewhere", pid: 2 ** 30 }, self), false);
  assertEquals(isDeadNeighbour({ ...self, host: "elsewhere", pidStartedAt: "1" }, self), false);
});

test("the host is told apart by its boot and its process namespace", () => {
  const { host } = thisProcess();
  assertEquals(thisProcess().host, host);
  if (existsSync("/proc/sys/kernel/random/boot_id")) {
    assert(host.includes(readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()));
    assert(/pid:\[\d+\]/.test(host));
  }
});

test("a process that has ended is dead even before anybody has waited for it", async () => {
  // The shell becomes `sleep` and never asks what became of its child, which must not end before: it would then be asked.
  const parent = spawnProcess("sh", ["-c", "sleep 0.1 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const closed = new Promise((resolve) => parent.once("close", resolve));
  const pid = Number(await new Promise<string>((resolve) => parent.stdout.setEncoding("utf8").once("data", resolve)));
  try {
    // Elsewhere nothing tells it from a process that lives.
    if (!existsSync("/proc/self/stat")) return;
    while (!readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z")) await new Promise((next) => setTimeout(next, 5));
    // Its number and its beginning are those of the process that is asked for; only its state says that it is over.
    const pidStartedAt = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[19]!;
    assertEquals(isDeadNeighbour({ ...thisProcess(), pid, pidStartedAt }, thisProcess()), true);
  } finally {
    parent.kill("SIGKILL");
    await closed;
  }
});
