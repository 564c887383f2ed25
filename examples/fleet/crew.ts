import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A report of a runner process. */
export interface Report {
  /** The number of runs that ended in this process. */
  readonly runs: number;
  /** The number of tasks that it completed. */
  readonly tasks: number;
  /** The number of runs that it took over from dead runners. */
  readonly recovered: number;
}

/** The configuration of a runner process. */
export interface Orders {
  readonly name: string;
  readonly url: string;
  readonly schema: string | undefined;
}

/** A runner process. */
export interface Member {
  readonly name: string;
  /** Its last report. */
  readonly report: Report;
  /** Whether it was killed. */
  readonly isKilled: boolean;
  /** Resolves when it is ready; rejects if it ends before that. */
  readonly ready: Promise<void>;
  /** Kills it, like a power failure. */
  kill(): void;
  /** Stops it gracefully, and waits for its end. */
  stop(): Promise<void>;
}

/** Starts a runner in another process, with the runtime of this process. */
export function startMember(name: string, url: string, schema: string | undefined): Member {
  const script = fileURLToPath(new URL("runner.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--quiet"] : [];
  const child = spawn(process.execPath, [...runtime, script], {
    // Not in arguments, which every user of the machine can read: the URL may contain a password.
    env: { ...process.env, FLEET_MEMBER: JSON.stringify({ name, url, schema } satisfies Orders) },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let report: Report = { runs: 0, tasks: 0, recovered: 0 };
  let isKilled = false;
  const ready = Promise.withResolvers<void>();
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void exited.then(() => ready.reject(new Error(`${name} has ended before it was ready.`)));
  createInterface({ input: child.stdout }).on("line", (line) => {
    report = JSON.parse(line);
    ready.resolve();
  });
  return {
    name,
    get report() {
      return report;
    },
    get isKilled() {
      return isKilled;
    },
    ready: ready.promise,
    kill() {
      isKilled = true;
      child.kill("SIGKILL");
    },
    async stop() {
      // A killed process has closed it already.
      child.stdin.on("error", () => {}).end();
      await exited;
    },
  };
}
