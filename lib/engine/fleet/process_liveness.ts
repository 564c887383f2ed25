/**
 * Whether the isolate of another runner on this host is alive.
 *
 * A lease says so only after it has expired. On the same host the operating system says so at once, for a process and
 * for an isolate within a process: `bun --watch` and `deno --watch` start a new isolate under the same process id and
 * start time, and a Worker can be terminated while its process lives on.
 *
 * - A process is identified by its id and its start time.
 * - An isolate is identified by a random token and by the thread that executes it. A thread executes one isolate at a
 *   time, so a runner of another token on the caller's own thread is dead. A runner of another thread is dead once that
 *   thread has ended. Neither rule depends on how soon an isolate responds: a live Worker that blocks its event loop
 *   for an hour keeps its runs until its lease expires.
 *
 * @module
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { isAllowed, type Permission } from "../../permissions.ts";
import type { RunnerCard } from "../../store/port/runners.ts";

/** Identifies the isolate that a runner lives in. */
export type IsolateIdentity = Pick<RunnerCard, "host" | "pid" | "pidStartedAt" | "isolate" | "thread">;

/** What is known about an isolate: `unknown` leaves the decision to its lease. */
export type Liveness = "alive" | "dead" | "unknown";

/** The thread of a main isolate where threads cannot be identified. A process has one at a time. */
const MAIN = "main";
const TOKEN = Symbol.for("sluice.isolate");

/**
 * The identity of this isolate. Two processes with the same `host` can read each other's liveness: same machine, same
 * boot, same process namespace. A process without the permission to read it gets a `host` of its own.
 */
export function thisIsolate(): IsolateIdentity {
  const boot = readProc("sys/kernel/random/boot_id")?.trim();
  const namespace = readLink("self/ns/pid");
  const name = attempt({ name: "sys", kind: "hostname" }, hostname);
  const isolate = isolateToken();
  // Containers may share a host name and a file but not their processes: on Linux the name alone is not enough.
  const isKnown = process.platform === "linux" ? boot !== undefined && namespace !== undefined : name !== undefined;
  const parts = isKnown ? [name, boot, namespace] : [name ?? "unknown", isolate];
  return {
    host: parts.filter((part) => part !== undefined).join(" "),
    pid: process.pid,
    pidStartedAt: startOf(`${process.pid}`),
    isolate,
    thread: thisThread(),
  };
}

/** Whether the isolate of a runner is alive, as seen from `self`. */
export function livenessOf(runner: IsolateIdentity, self: IsolateIdentity): Liveness {
  if (runner.host !== self.host) return "unknown";
  if (runner.pid !== self.pid) return processLiveness(runner, self);
  if (runner.pidStartedAt !== self.pidStartedAt) {
    return runner.pidStartedAt === undefined || self.pidStartedAt === undefined ? "unknown" : "dead";
  }
  if (runner.isolate === self.isolate) return "alive";
  // A row without a token was written by hand or by another version of this library.
  if (
    runner.isolate === undefined || runner.isolate === "" || runner.thread === undefined || self.thread === undefined
  ) return "unknown";
  if (runner.thread === self.thread) return "dead";
  return threadLiveness(runner.pid, runner.thread);
}

function processLiveness(runner: IsolateIdentity, self: IsolateIdentity): Liveness {
  if (runner.pidStartedAt === undefined || self.pidStartedAt === undefined) return signalLiveness(runner.pid);
  const stat = statOf(`${runner.pid}`);
  // Where /proc hides the processes of other users (hidepid), a missing entry alone proves nothing.
  if (stat === undefined) return signalLiveness(runner.pid);
  if (stat.startedAt !== runner.pidStartedAt || stat.hasEnded) return "dead";
  // A stopped process (SIGSTOP, a debugger) is not known to continue, so its lease decides.
  return stat.isStopped ? "unknown" : "alive";
}

function threadLiveness(pid: number, thread: string): Liveness {
  const [id, startedAt] = thread.split(" ");
  // "main" on one side only: a Worker and its parent where threads cannot be identified.
  if (startedAt === undefined) return "unknown";
  const stat = statOf(`${pid}/task/${id}`);
  return stat !== undefined && stat.startedAt === startedAt && !stat.hasEnded ? "alive" : "dead";
}

/** Signal 0 reaches a process that exists; without the permission to send it nothing is known. */
function signalLiveness(pid: number): Liveness {
  if (!isAllowed({ name: "run" })) return "unknown";
  try {
    process.kill(pid, 0);
    return "unknown";
  } catch (error) {
    return (error as { code?: unknown }).code === "ESRCH" ? "dead" : "unknown";
  }
}

/**
 * A token that every copy of this library in the isolate shares. It is a property of `process` because two copies, as
 * after `bun --hot`, must not take each other's runners for those of a dead isolate.
 */
function isolateToken(): string {
  const known: unknown = Reflect.get(process, TOKEN);
  if (typeof known === "string") return known;
  const token = crypto.randomUUID();
  Object.defineProperty(process, TOKEN, { value: token, configurable: true });
  return token;
}

/** The thread that executes this isolate, as its id and start time. */
function thisThread(): string | undefined {
  // The call is synchronous, so the thread that reads the link is the one that executes this isolate.
  const id = readLink("thread-self")?.split("/").at(-1);
  const startedAt = id === undefined ? undefined : startOf(`${process.pid}/task/${id}`);
  if (startedAt !== undefined) return `${id} ${startedAt}`;
  return isMainThread && !("WorkerGlobalScope" in globalThis) ? MAIN : undefined;
}

function startOf(entry: string): string | undefined {
  return statOf(entry)?.startedAt;
}

/** The state of a process or thread. */
interface Stat {
  /** When it started, in ticks since boot. */
  readonly startedAt: string;
  /** Whether it is stopped, as by SIGSTOP. */
  readonly isStopped: boolean;
  /** Whether it is a zombie: it has ended, and its parent has not read its exit status. */
  readonly hasEnded: boolean;
}

/** The state of an entry below `/proc`; `undefined` if it does not exist or cannot be read. */
function statOf(entry: string): Stat | undefined {
  const stat = readProc(`${entry}/stat`);
  // The name in parentheses may hold spaces and parentheses; fields are counted after it (proc_pid_stat(5): field 22).
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startedAt] = [fields?.[0], fields?.[19]];
  if (startedAt === undefined) return undefined;
  return { startedAt, isStopped: state === "T" || state === "t", hasEnded: state === "Z" || state === "X" };
}

function readProc(path: string): string | undefined {
  return attempt({ name: "read", path: `/proc/${path}` }, () => readFileSync(`/proc/${path}`, "utf8"));
}

function readLink(path: string): string | undefined {
  return attempt({ name: "read", path: `/proc/${path}` }, () => readlinkSync(`/proc/${path}`));
}

function attempt<T>(permission: Permission, read: () => T): T | undefined {
  if (!isAllowed(permission)) return undefined;
  try {
    return read();
  } catch {
    // Another operating system, or no permission.
    return undefined;
  }
}
