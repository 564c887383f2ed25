import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import type { RunnerCard } from "../store/port.ts";

/**
 * Where this process runs. Two processes with the same `host` can see whether the other lives: same machine, same boot,
 * same process namespace.
 */
export function thisProcess(): Pick<RunnerCard, "host" | "pid" | "pidStartedAt"> {
  const boot = attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const namespace = attempt(() => readlinkSync("/proc/self/ns/pid"));
  const name = attempt(hostname) ?? "unknown";
  return {
    host: [name, boot, namespace].filter((part) => part !== undefined).join(" "),
    pid: process.pid,
    pidStartedAt: startOf(process.pid),
  };
}

/**
 * Whether a runner is known to be dead: it ran on this host, and its process is gone or another has its number. What
 * cannot be told is not known; then its lease decides.
 */
export function isDeadNeighbour(
  runner: Pick<RunnerCard, "host" | "pid" | "pidStartedAt">,
  self: Pick<RunnerCard, "host" | "pid" | "pidStartedAt">,
): boolean {
  if (runner.host !== self.host) return false;
  if (runner.pid === self.pid) return runner.pidStartedAt !== self.pidStartedAt;
  if (runner.pidStartedAt !== undefined && self.pidStartedAt !== undefined) {
    return startOf(runner.pid) !== runner.pidStartedAt;
  }
  return isGone(runner.pid);
}

/** When a process began, in ticks since boot; `undefined` if there is none, or no way to ask. */
function startOf(pid: number): string | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // The name in parentheses may hold spaces and parentheses; fields are counted after it (proc_pid_stat(5): field 22).
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  // A zombie has ended already: nobody has waited for it yet.
  return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === "ESRCH";
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // Not this system, or not allowed to look.
    return undefined;
  }
}
