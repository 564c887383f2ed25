/** The git commands of the example. The output of each is read completely, or it throws an error with one sentence. */
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import process from "node:process";
import { LOG_FORMAT } from "./log.ts";

/** A repository with at least one commit. */
export interface Repository {
  /** The working directory for git. */
  readonly path: string;
  /** Its display name. */
  readonly name: string;
  /** Distinguishes it from every other repository on this machine. */
  readonly id: string;
  /** The current commit. */
  readonly head: string;
  /** Whether it contains only the newest part of its history. */
  readonly shallow: boolean;
}

/** A git command failed, git is not installed, or there is no repository; the message is a sentence for the user. */
export class GitError extends Error {
  /** The name of the class. */
  override name = "GitError";
}

/**
 * Finds the repository that contains `path`.
 *
 * @throws {GitError} If there is none, if it has no commits, or if git is not installed.
 */
export async function openRepository(path: string): Promise<Repository> {
  const start = resolve(path);
  if (!isDirectory(start)) throw new GitError(`There is no directory "${path}".`);
  const facts = ["--absolute-git-dir", "--is-shallow-repository", "--is-bare-repository"];
  const [directory, shallow, bare] = await ask(start, ["rev-parse", ...facts]).catch((error) => {
    const none = error instanceof GitError && error.message.includes("not a git repository");
    throw none ? new GitError(`"${path}" is not in a git repository.`) : error;
  });
  if (!directory) throw new GitError(`"${path}" is not in a git repository.`);
  // Inside `.git` itself there is no work tree to name.
  const [top] = bare === "true" ? [directory] : await ask(start, ["rev-parse", "--show-toplevel"]).catch(() => []);
  const name = basename(top ?? dirname(directory)).replace(/\.git$/, "") || "repository";
  const [head] = await ask(start, ["rev-parse", "--verify", "--quiet", "HEAD"]).catch(() => []);
  if (!head) throw new GitError(`The repository "${name}" has no commits yet.`);
  const id = createHash("sha256").update(directory).digest("hex").slice(0, 8);
  return { path: start, name, id, head, shallow: shallow === "true" };
}

/** Returns the number of commits up to `head`, including it. */
export async function countCommits(path: string, head: string): Promise<number> {
  return Number((await ask(path, ["rev-list", "--count", head, "--"]))[0]);
}

/** Streams the history of `head`, children before parents, in the format that `parseLog` reads. */
export function readLog(path: string, head: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const form = ["-z", "--numstat", "-M", "--date-order", "--encoding=UTF-8", `--format=${LOG_FORMAT}`];
  return call(path, ["log", ...form, ...AS_IT_IS, head, "--"], signal);
}

/** Streams the files of `head` in the format that `parseTree` reads. */
export async function* readTree(path: string, head: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  // The empty tree has another id in repositories with SHA-256.
  const [empty] = await ask(path, ["hash-object", "-t", "tree", "--stdin"]);
  const form = ["-r", "-z", "--numstat", "--no-renames"];
  yield* call(path, ["diff-tree", ...form, ...AS_IT_IS, `${empty}`, head, "--"], signal);
}

// The user's configuration of logs must not affect the parser.
const CONFIG = ["-c", "log.showRoot=true", "-c", "log.showSignature=false"];
const AS_IT_IS = ["--no-color", "--no-ext-diff", "--no-textconv"];

/** Returns the lines of a short output. */
async function ask(path: string, args: readonly string[]): Promise<string[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of call(path, args)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8").split("\n").filter((line) => line !== "");
}

/** Calls git and streams its output; an early end of the reader or an abort of `signal` ends git too. */
async function* call(path: string, args: readonly string[], signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  // Messages in English, because the code matches one of them.
  const env = { ...process.env, LC_ALL: "C" };
  const child = spawn("git", ["-C", path, ...CONFIG, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<{ readonly code: number | null; readonly error?: Error }>((resolve) => {
    child.once("error", (error) => resolve({ code: null, error }));
    child.once("close", (code) => resolve({ code }));
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => complaint = (complaint + text).slice(-4_000));
  const stop = () => child.kill();
  signal?.addEventListener("abort", stop);
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const { code, error } = await ended;
    signal?.throwIfAborted();
    if (error) throw error;
    if (code !== 0) throw new GitError(`git ${args[0]} failed: ${lastLine(complaint) || `exit code ${code}`}`);
  } catch (broken) {
    // If git cannot be started, the stream fails too, with a less specific error than `ended`.
    child.kill();
    const { error } = await ended;
    throw error ? new GitError(explain(error)) : broken;
  } finally {
    signal?.removeEventListener("abort", stop);
    child.kill();
  }
}

function explain(error: Error): string {
  return "code" in error && error.code === "ENOENT"
    ? "git is not installed, or not on the PATH."
    : `git could not be started: ${error.message}`;
}

function lastLine(text: string): string {
  const lines = text.trim().split("\n");
  return (lines.find((line) => line.startsWith("fatal: ")) ?? lines.at(-1) ?? "").replace(/^fatal: /, "");
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
