import { parseArgs } from "node:util";
import process from "node:process";
import { type ServeOptions, serveWorker } from "./serve.ts";
import { transportOver } from "./transport.ts";

const CLOSED = 0;
const WRONG_USAGE = 1;
const FAILED = 2;

/** How often the engine looks whether its parent lives: its end of the pipe may be open in a child of the parent. */
const PARENT_CHECK_MS = 1_000;

/** Serves workers as the arguments say; returns the exit code of the process. Only for Deno. */
export async function main(args: readonly string[]): Promise<number> {
  const socket = socketOf(args);
  const options: ServeOptions = { engine: { name: "sluice", runtime: `deno ${Deno.version.deno}` } };
  if (socket === null) return WRONG_USAGE;
  return socket === undefined ? await serveParent(options) : await serveSocket(socket, options);
}

/** Returns the path of the socket, `undefined` for standard input and output, or `null` if the arguments are wrong. */
function socketOf(args: readonly string[]): string | undefined | null {
  try {
    return parseArgs({ args: [...args], options: { socket: { type: "string" } } }).values.socket;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${why}\nUsage: deno run -A jsr:@sluice/sluice/worker [--socket PATH]\n`);
    return null;
  }
}

async function serveParent(options: ServeOptions): Promise<number> {
  const transport = transportOver({ reader: Deno.stdin, writer: Deno.stdout, close() {} });
  const parent = Deno.ppid;
  const gone = new AbortController();
  const timer = setInterval(() => Deno.ppid !== parent && gone.abort(), PARENT_CHECK_MS);
  const end = await serveWorker(transport, { ...options, gone: gone.signal });
  clearInterval(timer);
  return end === "closed" ? CLOSED : FAILED;
}

async function serveSocket(path: string, options: ServeOptions): Promise<number> {
  using listener = Deno.listen({ transport: "unix", path });
  const served = new Set<Promise<unknown>>();
  const open = new Set<() => void>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, stop);
  for await (const connection of listener) {
    const close = (): void => {
      if (open.delete(close)) connection.close();
    };
    const transport = transportOver({ reader: connection, writer: connection, close });
    open.add(close);
    const serving = serveWorker(transport, options).finally(() => {
      close();
      served.delete(serving);
    });
    served.add(serving);
  }
  await Promise.allSettled(served);
  return CLOSED;

  function stop(): void {
    listener.close();
    for (const close of open) close();
  }
}
