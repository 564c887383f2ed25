import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type ProcessEngine, processEngine } from "./process_engine.ts";

const ENTRY = fileURLToPath(new URL("../../lib/worker/mod.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** An engine that is killed at the end of the scope. */
export type StartedEngine = ProcessEngine & AsyncDisposable;

/** Starts the engine of this tree, or another one, as a process that serves this one. Only under Deno. */
export function startEngine(file: string = ENTRY, args: readonly string[] = ["--config", CONFIG]): StartedEngine {
  const child = spawn(process.execPath, ["run", "-A", "--no-check", "--quiet", ...args, file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const engine = processEngine(child);
  return {
    ...engine,
    async [Symbol.asyncDispose]() {
      engine.kill();
      engine.transport.close();
      await engine.ended;
    },
  };
}
