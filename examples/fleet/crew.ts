import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A report of a runner process. */
export interface Report {
  /** Runs that ended in it. */
  readonly runs: number;
  /** Tasks that it completed. */
  readonly tasks: number;
  /** Runs that it took from dead runners. */
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
  /** What it said last. */
  readonly report: Report;
  /** Whether it was killed. */
  readonly isKilled: boolean;
  /** Resolves when it is ready; rejects if it ends before. */
  readonly ready: Promise<void>;
  /** Ends it as a power cut would. */
  kill(): void;
  /** Lets it finish, and waits for its end. */
  stop(): Promise<void>;
}

/** Starts a runner in a process of its own, by the runtime that runs this one. */
export function startMember(name: string, url: string, schema: string | undefined): Member {
  const script = fileURLToPath(new URL("runner.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--quiet"] : [];
  const child = spawn(process.execPath, [...runtime, script], {
    // Not as arguments, which every user of the machine can read: the URL may contain a password.
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
      // One that was killed has closed it already.
      child.stdin.on("error", () => {}).end();
      await exited;
    },
  };
}
