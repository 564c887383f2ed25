import { spawn as spawnProcess } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { seededEnvironment } from "./random.ts";
import { within } from "./within.ts";

// `deno test` has no time limit: without this one, a hanging child would hang its test. It is longer than `HANG_MS`,
// the limit of other waits of tests, whose errors are more specific. A soak takes longer.
const LONGEST_MS = Number(process.env["SLUICE_LONGEST_CHILD_SECONDS"] ?? 240) * 1_000;

/** The exit of a child, and its output. */
export interface Exit {
  /** Its exit code; `null` if a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it; `null` if none did. */
  readonly signal: string | null;
  /** Its standard output. */
  readonly stdout: string;
  /** Its standard error. */
  readonly stderr: string;
}

/** A process that a test started; disposal kills it and waits for its end. */
export interface Child extends AsyncDisposable {
  /** Its process id. */
  readonly pid: number;
  /** Resolves when it has ended and all its output has been read. */
  readonly exited: Promise<Exit>;
  /** The next line of its standard output, without the line break; `undefined` after the last. */
  line(): Promise<string | undefined>;
  /** Reads lines until one contains `text` and returns that line; throws an error with the output if none does. */
  until(text: string): Promise<string>;
  /** Sends a signal. @default {"SIGTERM"} */
  kill(signal?: "SIGTERM" | "SIGINT" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
}

/** Waits until a child exits by itself; kills a hanging child and throws an error with its last output. */
export async function ended(child: Child): Promise<Exit> {
  try {
    return await within("the end of a process", child.exited);
  } catch (error) {
    child.kill("SIGKILL");
    const { stdout, stderr } = await child.exited;
    const last = (text: string): string => text.split("\n").slice(-20).join("\n");
    throw new Error(`Process ${child.pid} hangs: ${last(stdout)}\n${last(stderr)}`, { cause: error });
  }
}

/**
 * Starts a script of this project in a new process of the runtime that runs the tests, without type-checking it; kills
 * it after four minutes.
 * `script` is relative to this folder; `env` is added to the environment.
 */
export function spawn(script: string, args: readonly string[] = [], env: Record<string, string> = {}): Child {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return spawnRuntime([path, ...args], { env });
}

/**
 * Starts a script at any path with `--watch`: the runtime restarts the script whenever it changes, in the same process
 * with the same process id.
 */
export function spawnWatched(path: string, args: readonly string[] = []): Child {
  const config = fileURLToPath(new URL("../deno.json", import.meta.url));
  const watch = "Deno" in globalThis ? ["--watch", "--config", config] : ["--watch", "--no-clear-screen"];
  return spawnRuntime([path, ...args], { watch });
}

/** Like `spawn()`, but in another working directory. */
export function spawnIn(cwd: string, script: string, args: readonly string[] = []): Child {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return spawnRuntime([path, ...args], { cwd });
}

interface Surroundings {
  /** The program. @default the runtime that runs the tests */
  readonly executable?: string;
  readonly watch?: readonly string[];
  readonly env?: Record<string, string>;
  readonly cwd?: string | undefined;
}

function spawnRuntime([path, ...args]: readonly string[], { watch = [], env = {}, cwd }: Surroundings): Child {
  const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check", "--quiet"] : [];
  return spawnExecutable([...runtime, ...watch, path!, ...args], { env, cwd });
}

/** Starts the runtime that runs the tests, or another program, with these arguments; kills it after four minutes. */
export function spawnExecutable(
  args: readonly string[],
  { executable = process.execPath, env = {}, cwd }: Omit<Surroundings, "watch"> = {},
): Child {
  const child = spawnProcess(executable, args, {
    cwd,
    env: { ...process.env, ...seededEnvironment(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });

  const output = { stdout: "", stderr: "" };
  let read = 0;
  let ended = false;
  const deadline = setTimeout(() => kill("SIGKILL"), LONGEST_MS);
  let news = Promise.withResolvers<void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
    announce();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => output.stderr += text);
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once("error", reject);
    // Not "exit", after which more output may arrive.
    child.once("close", (code, signal) => resolve({ code, signal, ...output }));
  }).finally(() => {
    clearTimeout(deadline);
    ended = true;
    announce();
  });

  return { pid: child.pid!, exited, line, until, kill, [Symbol.asyncDispose]: dispose };

  function announce(): void {
    news.resolve();
    news = Promise.withResolvers();
  }

  async function line(): Promise<string | undefined> {
    for (;;) {
      const end = output.stdout.indexOf("\n", read);
      if (end >= 0) return take(end, end + 1);
      if (ended) return read < output.stdout.length ? take(output.stdout.length, output.stdout.length) : undefined;
      await news.promise;
    }
  }

  function take(end: number, next: number): string {
    const text = output.stdout.slice(read, end);
    read = next;
    return text;
  }

  async function until(text: string): Promise<string> {
    for (;;) {
      const found = await line();
      if (found === undefined) {
        throw new Error(`${args.join(" ")} ended without printing "${text}"\n${output.stdout}\n${output.stderr}`);
      }
      if (found.includes(text)) return found;
    }
  }

  function kill(signal: Parameters<Child["kill"]>[0] = "SIGTERM"): void {
    // Not child.kill(): in Deno it considers a stopped child dead and sends no further signals.
    if (ended) return;
    try {
      process.kill(child.pid!, signal);
    } catch (error) {
      // It may have ended before this process was notified.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }

  async function dispose(): Promise<void> {
    kill("SIGKILL");
    await exited;
  }
}
