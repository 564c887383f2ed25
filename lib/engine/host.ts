import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import type { RunnerCard } from "../store/port.ts";

/**
 * Where this process runs. Two processes with the same `host` can see whether the other lives: same machine, same boot,
 * same process namespace. A process that may not look has a host of its own, and its lease decides.
 */
export function thisProcess(): Pick<RunnerCard, "host" | "pid" | "pidStartedAt"> {
  const boot = readProc("sys/kernel/random/boot_id")?.trim();
  const namespace = attempt({ name: "read", path: "/proc/self/ns/pid" }, () => readlinkSync("/proc/self/ns/pid"));
  const name = attempt({ name: "sys", kind: "hostname" }, hostname);
  // Containers may share a name and a file, but not their processes: on Linux the name alone says too little.
  const isTold = process.platform === "linux" ? boot !== undefined && namespace !== undefined : name !== undefined;
  const parts = isTold ? [name, boot, namespace] : [name ?? "unknown", unknown];
  return {
    host: parts.filter((part) => part !== undefined).join(" "),
    pid: process.pid,
    pidStartedAt: startOf(process.pid),
  };
}

const unknown = crypto.randomUUID();

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
  const stat = readProc(`${pid}/stat`);
  // The name in parentheses may hold spaces and parentheses; fields are counted after it (proc_pid_stat(5): field 22).
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  // A zombie has ended already: nobody has waited for it yet.
  return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
}

function isGone(pid: number): boolean {
  if (!isAllowed({ name: "run" })) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === "ESRCH";
  }
}

function readProc(path: string): string | undefined {
  return attempt({ name: "read", path: `/proc/${path}` }, () => readFileSync(`/proc/${path}`, "utf8"));
}

function attempt<T>(permission: Permission, read: () => T): T | undefined {
  if (!isAllowed(permission)) return undefined;
  try {
    return read();
  } catch {
    // Not this system, or not allowed to look.
    return undefined;
  }
}

/** A permission as Deno describes it. */
interface Permission {
  readonly name: string;
  readonly path?: string;
  readonly kind?: string;
}

/** Whether something may be done without Deno's asking whoever sits at the terminal: this is not worth a question. */
function isAllowed(permission: Permission): boolean {
  const { Deno: deno } = globalThis as {
    Deno?: { permissions?: { querySync(permission: Permission): { readonly state: string } } };
  };
  return deno?.permissions === undefined || deno.permissions.querySync(permission).state === "granted";
}
