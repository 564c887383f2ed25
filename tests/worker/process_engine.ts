import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Engine } from "./conversation.ts";

/** An engine in another process. */
export interface ProcessEngine extends Engine {
  readonly pid: number;
  /** Ends the process at once. */
  kill(): void;
}

/** Connects to the engine that a process serves over standard input and output. */
export function processEngine(child: ChildProcessByStdio<Writable, Readable, null>): ProcessEngine {
  const chunks: AsyncIterator<Uint8Array> = child.stdout[Symbol.asyncIterator]();
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? -1));
  });
  // A write to an engine that has ended fails; its end says so.
  child.stdin.on("error", () => {});
  return {
    pid: child.pid!,
    ended,
    kill: () => void child.kill("SIGKILL"),
    transport: {
      async read() {
        const { value, done } = await chunks.next();
        return done === true ? undefined : value;
      },
      write: (bytes) => new Promise((resolve) => child.stdin.write(bytes, () => resolve())),
      close: () => child.stdin.end(),
    },
  };
}
