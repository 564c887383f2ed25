/**
 * Reads what `deno test --parallel` and `bun test` print, line by line, while they run: how many tests have ended, which
 * failed, and why.
 *
 * @module
 */

/** A test that failed. */
export interface Failure {
  /** The test file. */
  readonly file: string;
  /** The name of the test, or what failed outside of any test. */
  readonly name: string;
  /** The error and its stack, as the runtime printed them; empty if it printed none. */
  readonly details: string;
}

/** Tests that ended, by result. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The state of a stage's output. */
export interface StageOutput {
  /** Takes the next line of output; returns the result of the test that the line reports, if it reports one. */
  read(line: string): "passed" | "failed" | "skipped" | undefined;
  /** The counts so far; those of the runtime's summary once it has been read. */
  counts(): Counts;
  /** Whether the runtime has printed its summary: without it the process ended before its tests did. */
  isComplete(): boolean;
  /** The failures so far, each with its details if these have been read. */
  failures(): readonly Failure[];
  /** Files of which a result, or at least a heading, has been read. */
  files(): ReadonlySet<string>;
  /** The tests that were running when the runtime was interrupted, or the file whose heading was the last. */
  running(): readonly string[];
}

/** The reader for a runtime's format. */
export function stageOutput(runtime: "deno" | "bun"): StageOutput {
  return runtime === "deno" ? denoOutput() : bunOutput();
}

const DENO_RESULT = /^(\S+) => (.+) \.\.\. (ok|FAILED|ignored)\b/;
const DENO_UNCAUGHT = /^Uncaught error from (\S+) FAILED$/;
const DENO_HEADING = /^(?:(.+) => (\S+?):\d+:\d+|(\S+) \(uncaught error\))$/;
const DENO_SUMMARY = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*? \| (\d+) ignored)?/;

function denoOutput(): StageOutput {
  let counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  let isComplete = false;
  let section: "results" | "errors" | "failures" | "pending" = "results";
  const failures: { file: string; name: string; details: string }[] = [];
  const files = new Set<string>();
  const pending: string[] = [];
  let open: { details: string } | undefined;

  return {
    read,
    counts: () => counts,
    isComplete: () => isComplete,
    failures: () => failures.map((failure) => ({ ...failure, details: failure.details.trim() })),
    files: () => files,
    running: () => pending,
  };

  function read(line: string): "passed" | "failed" | "skipped" | undefined {
    const summary = DENO_SUMMARY.exec(line);
    if (summary) {
      counts = { passed: Number(summary[1]), failed: Number(summary[2]), skipped: Number(summary[3] ?? 0) };
      isComplete = true;
    } else if (line === " ERRORS ") section = "errors";
    else if (line === " FAILURES ") section = "failures";
    else if (line.startsWith("SIGINT The following tests were pending")) section = "pending";
    else if (section === "results") return readResult(line);
    else if (section === "errors") readError(line);
    else if (section === "pending" && line.trim() !== "") pending.push(line);
    return undefined;
  }

  function readResult(line: string): "passed" | "failed" | "skipped" | undefined {
    const uncaught = DENO_UNCAUGHT.exec(line);
    const result = DENO_RESULT.exec(line);
    const file = withoutDot(uncaught?.[1] ?? result?.[1] ?? "");
    if (file === "") return undefined;
    files.add(file);
    if (uncaught || result?.[3] === "FAILED") {
      failures.push({ file, name: result?.[2] ?? OUTSIDE, details: "" });
      counts = { ...counts, failed: counts.failed + 1 };
      return "failed";
    }
    const kind = result?.[3] === "ok" ? "passed" : "skipped";
    counts = { ...counts, [kind]: counts[kind] + 1 };
    return kind;
  }

  /** The details of one failure stand below its heading, those of the next below the next. */
  function readError(line: string): void {
    const heading = DENO_HEADING.exec(line);
    const [file, name] = [withoutDot(heading?.[2] ?? heading?.[3] ?? ""), heading?.[1] ?? OUTSIDE];
    const next = heading && failures.find((failure) => failure.file === file && failure.name === name);
    if (next) open = next;
    else if (open) open.details += `${line}\n`;
  }
}

const OUTSIDE = "(outside of any test)";
const BUN_HEADING = /^(\S+\.ts):$/;
const BUN_RESULT = /^\((pass|fail|skip|todo)\) (.+?)(?: \[[\d.]+ ?m?s\])?$/;
const BUN_SUMMARY = /^ *(\d+) (pass|fail|skip)$/;
const BUN_RULE = /^-{20,}$/;
// After a long output Bun repeats the failures, without their files.
const BUN_REPETITION = /^\d+ tests? failed:$/;

function bunOutput(): StageOutput {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let summary: typeof counts | undefined;
  let file = "";
  // What was printed since the last result: if the next test fails, its error.
  let printed: string[] = [];
  let isUnhandled = false;
  let isRepetition = false;
  const failures: { file: string; name: string; details: string }[] = [];
  const files = new Set<string>();

  return {
    read,
    counts: () => summary ?? counts,
    isComplete: () => summary !== undefined,
    failures: () => failures,
    files: () => files,
    running: () => file === "" || summary ? [] : [file],
  };

  function read(line: string): "passed" | "failed" | "skipped" | undefined {
    const heading = BUN_HEADING.exec(line);
    const result = BUN_RESULT.exec(line);
    const total = BUN_SUMMARY.exec(line);
    isRepetition ||= BUN_REPETITION.test(line);
    if (isRepetition && !total) return undefined;
    if (heading) {
      file = withoutDot(heading[1]!);
      files.add(file);
      printed = [];
    } else if (result) return readResult(result[1]!, result[2]!);
    else if (total) {
      summary ??= { passed: 0, failed: 0, skipped: 0 };
      summary[total[2] === "pass" ? "passed" : total[2] === "fail" ? "failed" : "skipped"] = Number(total[1]);
    } else if (line.startsWith("  ^ ") && failures.length > 0) {
      // The reason for a failure without an error, such as the time limit, follows the result.
      const last = failures.at(-1)!;
      last.details = [last.details, line].join("\n").trim();
    } else if (line === "# Unhandled error between tests") {
      isUnhandled = true;
      printed = [];
    } else if (isUnhandled && BUN_RULE.test(line)) {
      // A rule above the error and one below it.
      if (printed.length > 0) return readUnhandled();
    } else printed.push(line);
    return undefined;
  }

  function readResult(word: string, name: string): "passed" | "failed" | "skipped" {
    const details = printed.join("\n").trim();
    printed = [];
    const kind = word === "pass" ? "passed" : word === "fail" ? "failed" : "skipped";
    if (kind === "failed") failures.push({ file, name, details });
    counts[kind]++;
    return kind;
  }

  function readUnhandled(): "failed" {
    isUnhandled = false;
    failures.push({ file, name: OUTSIDE, details: printed.join("\n").trim() });
    printed = [];
    counts.failed++;
    return "failed";
  }
}

function withoutDot(path: string): string {
  return path.startsWith("./") ? path.slice(2) : path;
}
