import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Cell, Request, Round } from "./cell.ts";

/** A process that executes runs of one cell; it is ended at the end of the scope. */
export interface Side extends AsyncDisposable {
  /** Has it do a round, and waits for it. */
  round(request: Request): Promise<Round>;
}

// A hang must end as a failure.
const LONGEST_ROUND_MS = 180_000;

/** Starts one side of a cell, in the runtime that runs this. */
export function startSide(who: "sluice" | "ceiling", cell: Cell, databaseUrl: string | undefined): Side {
  const script = fileURLToPath(new URL("../children/side.ts", import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  const child = spawn(process.execPath, [...runtime, script, who, JSON.stringify(cell)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }) },
  });
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return {
    async round(request) {
      const deadline = setTimeout(() => child.kill("SIGKILL"), LONGEST_ROUND_MS);
      child.stdin!.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      clearTimeout(deadline);
      if (done) throw new Error(`"${who}" ended before it had done ${request.runs} runs of ${JSON.stringify(cell)}`);
      return JSON.parse(value);
    },
    async [Symbol.asyncDispose]() {
      child.stdin!.end();
      await exited;
    },
  };
}
