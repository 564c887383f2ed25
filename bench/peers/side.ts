import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Command, Reply } from "./serve.ts";

/** The process of one side; see `serve.ts`. */
export interface Side extends AsyncDisposable {
  /** Sends a request and waits for the response; throws if the side returns an error, ends or takes too long. */
  ask(command: Command): Promise<Reply>;
}

const HERE = fileURLToPath(new URL(".", import.meta.url));
const LONGEST_MS = 120_000;
const KEPT = 2_000;

/** Starts the process of a side; `limitMs` is how long it may take for one answer. */
export function startSide(
  [command, ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  limitMs: number = LONGEST_MS,
): Side {
  const child = spawn(command!, args, {
    cwd: HERE,
    env: { ...process.env, NODE_NO_WARNINGS: "1", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let said = "";
  let waiting: {
    readonly answer: (reply: Reply) => void;
    readonly fail: (error: Error) => void;
  } | undefined;
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.once("error", (error) => waiting?.fail(error));
  child.once(
    "close",
    () =>
      waiting?.fail(
        new Error(`Its process ended: ${said.trim() || "it said nothing"}`),
      ),
  );
  child.stdin.on("error", () => {});
  child.stderr.on("data", (text) => said = `${said}${text}`.slice(0, KEPT));
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("reply ")) {
      waiting?.answer(JSON.parse(line.slice("reply ".length)));
    } else said = `${said}${line}\n`.slice(0, KEPT);
  });

  return {
    async ask(command) {
      const reply = Promise.withResolvers<Reply>();
      waiting = { answer: reply.resolve, fail: reply.reject };
      const late = setTimeout(() => reply.reject(new Error(`It took longer than ${limitMs / 1_000} s`)), limitMs);
      try {
        if (child.exitCode !== null) {
          throw new Error(`Its process ended: ${said.trim()}`);
        }
        child.stdin.write(`${JSON.stringify(command)}\n`);
        const answer = await reply.promise;
        if (answer.error !== undefined) throw new Error(answer.error);
        return answer;
      } finally {
        clearTimeout(late);
        waiting = undefined;
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
