/** What the example asks git. Every question has its answer read to the end, or is an error of one sentence. */
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import process from "node:process";
import { LOG_FORMAT } from "./log.ts";

/** A repository with at least one commit. */
export interface Repository {
  /** Where git is to be called. */
  readonly path: string;
  /** Its name, for people. */
  readonly name: string;
  /** Distinguishes it from every other repository on this machine. */
  readonly id: string;
  /** The commit it is at. */
  readonly head: string;
  /** Whether it holds only the newest part of its history. */
  readonly shallow: boolean;
}

/** Git refused, is not there, or there is nothing to ask it about; the message is a sentence for the user. */
export class GitError extends Error {
  /** Names the class. */
  override name = "GitError";
}

/**
 * The repository that `path` is in.
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

/** How many commits `head` has behind it, itself included. */
export async function countCommits(path: string, head: string): Promise<number> {
  return Number((await ask(path, ["rev-list", "--count", head, "--"]))[0]);
}

/** The history behind `head`, children before parents, in the form that `parseLog` reads. */
export function readLog(path: string, head: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const form = ["-z", "--numstat", "-M", "--date-order", "--encoding=UTF-8", `--format=${LOG_FORMAT}`];
  return call(path, ["log", ...form, ...AS_IT_IS, head, "--"], signal);
}

/** Every file of `head`, in the form that `parseTree` reads. */
export async function* readTree(path: string, head: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  // The empty tree has another id in repositories with SHA-256.
  const [empty] = await ask(path, ["hash-object", "-t", "tree", "--stdin"]);
  const form = ["-r", "-z", "--numstat", "--no-renames"];
  yield* call(path, ["diff-tree", ...form, ...AS_IT_IS, `${empty}`, head, "--"], signal);
}

// Whatever the user has configured for looking at logs must not reach the parser.
const CONFIG = ["-c", "log.showRoot=true", "-c", "log.showSignature=false"];
const AS_IT_IS = ["--no-color", "--no-ext-diff", "--no-textconv"];

/** The lines of a short answer. */
async function ask(path: string, args: readonly string[]): Promise<string[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of call(path, args)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8").split("\n").filter((line) => line !== "");
}

/** Calls git and streams what it prints; an early end of the reader, or `signal`, ends git too. */
async function* call(path: string, args: readonly string[], signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  // Messages in English, because one of them is recognised.
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
    // A git that cannot be started breaks the stream as well, which says less than `ended` does.
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
