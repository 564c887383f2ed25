/** External programs that the documentation mentions: their paths, versions and configuration. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Child } from "./child.ts";
import { until } from "./within.ts";

/** Returns the path of an installed program; `undefined` if it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.filter((folder) => folder !== "").map((folder) => join(folder, name)).find(isExecutable);
}

/** Returns the major version that a program prints with `--version`, such as 15 of "pg_dump (PostgreSQL) 15.18". */
export function majorOf(program: string): number {
  return Number(/(\d+)\.\d/.exec(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout)?.[1]);
}

/** Returns the first block of a language, such as `sh`, in a page of docs/ that contains `text`. */
export function blockOf(page: string, language: string, text: string): string {
  const content = readFileSync(fileURLToPath(new URL(`../docs/${page}`, import.meta.url)), "utf8");
  const blocks = [...content.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, block]) =>
    block!
  );
  const block = blocks.find((candidate) => candidate.includes(text));
  if (block === undefined) throw new Error(`docs/${page} has no block of ${language} with "${text}"`);
  return block;
}

/** Waits until a program listens on a port of 127.0.0.1; throws an error with its output if it ends before that. */
export async function listening(program: Child, port: number): Promise<void> {
  let exit: string | undefined;
  void program.exited.then(({ code, stdout, stderr }) => exit = `exit code ${code}\n${stdout}${stderr}`, () => {});
  await until(() => {
    if (exit !== undefined) throw new Error(`The program has ended: ${exit}`);
    return canConnect(port);
  });
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
