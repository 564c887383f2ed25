/**
 * Runs the stages of the project's checks one after another, all of them, and prints a line for each; sums up at the end
 * what failed.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { type Counts, type Failure, stageOutput } from "./stage_output.ts";

/** A command that checks something. */
export interface Stage {
  /** What the command line calls it. */
  readonly name: string;
  /** The program and its arguments. */
  readonly command: () => readonly string[] | Promise<readonly string[]>;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** How it tests. Absent if it runs no tests: its exit code alone is its result. */
  readonly tests?: {
    readonly runtime: "deno" | "bun";
    /** The test files, to name one that hangs before its first test; without them only the tests are named. */
    readonly files: readonly string[];
  };
}

/** How stages are run and shown. */
export interface StageOptions {
  /** The folder in which commands run, and to which their files are relative. */
  readonly cwd: string;
  /** Writes to the terminal or to the log. */
  readonly write: (text: string) => void;
  /** Whether a line can be written over, to show progress. */
  readonly isTerminal: boolean;
  /** Whether everything that commands print is passed on while they run. */
  readonly isVerbose: boolean;
  /**
   * How long a stage may continue without the end of a test, or without a line of output if it has no tests, before it is
   * stopped, in milliseconds. Only a hang reaches it.
   */
  readonly longestSilenceMs: number;
  /** Ends the current stage and leaves out the others, which fails. */
  readonly signal?: AbortSignal;
  /** The clock, in milliseconds. @default {performance.now} */
  readonly now?: () => number;
  /** How often a log shows progress, in milliseconds. @default {60_000} */
  readonly progressMs?: number;
}

/** The exit code of a stage that cannot run here; its last line of output says why. */
export const SKIPPED = 77;

interface StageResult {
  readonly stage: Stage;
  readonly isOk: boolean;
  readonly counts: Counts;
  readonly failures: readonly Failure[];
  /** Whether it could not run here. */
  readonly isSkipped: boolean;
  /** Why it failed, apart from its tests, or was skipped. */
  readonly reason?: string;
  /** What it printed, without the lines of tests that passed. */
  readonly output: readonly string[];
}

/** How long a command may take to end after it was interrupted. */
const LONGEST_FAREWELL_MS = 10_000;
/** How much of the output of a stage is repeated if it failed and its failures do not explain it. */
const MOST_LINES = 300;

/** Runs every stage, whatever becomes of those before; returns whether all of them succeeded. */
export async function runStages(stages: readonly Stage[], options: StageOptions): Promise<boolean> {
  const { write, now = () => performance.now() } = options;
  const start = now();
  const results: StageResult[] = [];
  for (const stage of stages) {
    if (options.signal?.aborted !== true) results.push(await runStage(stage, { ...options, now }));
  }
  const failed = results.filter(({ isOk }) => !isOk);
  for (const result of failed) write(detailsOf(result));
  write(sumUp(results, now() - start));
  return failed.length === 0 && results.length === stages.length;
}

type Options = StageOptions & Required<Pick<StageOptions, "now">>;

async function runStage(stage: Stage, options: Options): Promise<StageResult> {
  const start = options.now();
  const result = await runCommand(stage, options);
  const { isOk, isSkipped, counts } = result;
  const columns = [
    stage.name.padEnd(15),
    (isSkipped ? "skipped" : isOk ? "ok" : "FAILED").padEnd(7),
    (stage.tests ? show(counts) : "").padEnd(36),
    `${seconds(options.now() - start)} s`.padStart(8),
  ];
  options.write(`${columns.join(" ")}${result.reason === undefined ? "" : `  ${result.reason}`}\n`);
  return result;
}

async function runCommand(stage: Stage, options: Options): Promise<StageResult> {
  const { cwd, write, isTerminal, isVerbose, longestSilenceMs, now } = options;
  const reader = stage.tests && stageOutput(stage.tests.runtime);
  const output: string[] = [];
  const start = now();
  let progressAt = start;
  let isHung = false;
  let isSkipped = false;

  const [command, ...args] = await stage.command();
  const child = spawn(command!, args, {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...stage.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => {
      isSkipped = code === SKIPPED;
      resolve(code === 0 ? undefined : signal ?? `exit code ${code}`);
    });
  });
  const read = [child.stdout, child.stderr].map((input) =>
    new Promise<void>((resolve) => createInterface({ input }).on("line", take).once("close", resolve))
  );
  options.signal?.addEventListener("abort", stop, { once: true });
  const watch = setInterval(stopIfHung, Math.min(1_000, longestSilenceMs / 2));
  const progress = setInterval(showProgress, isTerminal ? 1_000 : options.progressMs ?? 60_000);
  const ending = await ended;
  await Promise.all(read);
  options.signal?.removeEventListener("abort", stop);
  clearInterval(watch);
  clearInterval(progress);
  if (isTerminal) write(ERASE);

  const counts = reader?.counts() ?? { passed: 0, failed: 0, skipped: 0 };
  const reason = reasonOf();
  const isOk = isSkipped || (reason === undefined && ending === undefined && counts.failed === 0);
  return {
    stage,
    isOk,
    isSkipped,
    counts,
    failures: reader?.failures() ?? [],
    ...(reason === undefined ? {} : { reason }),
    output,
  };

  function take(line: string): void {
    const result = reader?.read(line);
    if (result !== undefined || !reader) progressAt = now();
    if (result === undefined || result === "failed") output.push(line);
    if (isVerbose) write(`${line}\n`);
    else if (result === "failed") {
      const { file, name } = reader!.failures().at(-1)!;
      write(`${isTerminal ? ERASE : ""}  FAILED ${file}: ${name}\n`);
    }
  }

  function reasonOf(): string | undefined {
    if (isSkipped) return output.at(-1);
    if (isHung) {
      const where = whereItHangs();
      return `no progress for ${seconds(longestSilenceMs)} s${where.length > 0 ? ` in ${where.join(", ")}` : ""}`;
    }
    if (reader && !reader.isComplete()) {
      const last = reader.running().join(", ");
      return `${ending ?? "ended"} before its tests did${last === "" ? "" : `, in ${last}`}`;
    }
    // A runtime that finds no test exits with 0.
    if (reader && counts.passed === 0 && counts.failed === 0) return "no test ran";
    return reader && counts.failed > 0 ? undefined : ending;
  }

  function whereItHangs(): readonly string[] {
    const running = reader?.running() ?? [];
    // Deno names the tests that it interrupts, but not a file that has not come as far as its first test.
    return running.length > 0 ? running : (stage.tests?.files ?? []).filter((file) => !reader?.files().has(file));
  }

  function stopIfHung(): void {
    if (isHung || now() - progressAt < longestSilenceMs) return;
    isHung = true;
    stop();
  }

  // Deno prints which tests it interrupts; what does not end by itself then is killed.
  function stop(): void {
    child.kill("SIGINT");
    const kill = setTimeout(() => child.kill("SIGKILL"), LONGEST_FAREWELL_MS);
    child.once("close", () => clearTimeout(kill));
  }

  function showProgress(): void {
    const line = `${stage.name}: ${reader ? `${show(reader.counts())}, ` : ""}${seconds(now() - start)} s`;
    write(isTerminal ? `${ERASE}${line}` : `  … ${line}\n`);
  }
}

const ERASE = "\r\x1b[K";

function detailsOf({ stage, failures, reason, output }: StageResult): string {
  const parts = failures.map(({ file, name, details }) => `\n== ${stage.name}: ${file}: ${name}\n${details}\n`);
  if (failures.length === 0 || reason !== undefined) {
    const last = output.slice(-MOST_LINES).join("\n").trim();
    parts.push(`\n== ${stage.name}${reason === undefined ? "" : `: ${reason}`}\n${last}\n`);
  }
  return parts.join("");
}

function sumUp(results: readonly StageResult[], ms: number): string {
  const failed = results.filter(({ isOk }) => !isOk);
  const lines = failed.flatMap(({ stage, failures, reason }) => [
    `  ${stage.name}${reason === undefined ? "" : `: ${reason}`}`,
    ...failures.map(({ file, name }) => `    ${file}: ${name}`),
  ]);
  const counts = results.map((result) => result.counts).reduce((a, b) => ({
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  }), { passed: 0, failed: 0, skipped: 0 });
  const tests = results.some(({ stage }) => stage.tests) ? `: ${show(counts)}` : "";
  const verdict = failed.length === 0 ? "ok" : `FAILED in ${failed.length} of ${results.length} stages`;
  return ["", ...(failed.length > 0 ? [`${verdict}:`, ...lines, ""] : []), `${verdict}${tests} (${seconds(ms)} s)`, ""]
    .join("\n");
}

function show({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
