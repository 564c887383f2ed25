import process from "node:process";
import { parseArgs } from "node:util";
import { type ServeOptions, serveWorker } from "./serve.ts";
import { type Endpoint, transportOver } from "./transport.ts";

const CLOSED = 0;
const WRONG_USAGE = 1;
const FAILED = 2;

/** How often the engine checks whether its parent lives: a child of the parent may have inherited the pipe. */
const PARENT_CHECK_MS = 1_000;

/** The part of Deno that is used: its reads do not block the event loop, nor do its writes to a worker that reads slowly. */
interface DenoRuntime {
  readonly version: { readonly deno: string };
  readonly stdin: Endpoint["reader"];
  readonly stdout: Endpoint["writer"];
  listen(address: { readonly transport: "unix"; readonly path: string }): AsyncIterable<Connection> & { close(): void };
}

type Connection = Endpoint["reader"] & Endpoint["writer"] & { close(): void };

/** Serves workers as the arguments say; returns the exit code of the process. */
export async function main(args: readonly string[]): Promise<number> {
  const { Deno } = globalThis as { readonly Deno?: DenoRuntime };
  try {
    const { socket } = parseArgs({ args: [...args], options: { socket: { type: "string" } } }).values;
    if (Deno === undefined) throw new TypeError("The engine for workers needs Deno");
    const options: ServeOptions = { engine: { name: "sluice", runtime: `deno ${Deno.version.deno}` } };
    return socket === undefined ? await serveParent(Deno, options) : await serveSocket(Deno, socket, options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${why}\nUsage: deno run -A jsr:@sluice/sluice/worker [--socket PATH]\n`);
    return WRONG_USAGE;
  }
}

async function serveParent({ stdin, stdout }: DenoRuntime, options: ServeOptions): Promise<number> {
  // A read of standard input cannot be cancelled: the process ends with it pending.
  const transport = transportOver({ reader: stdin, writer: stdout, close() {} });
  const parent = process.ppid;
  const gone = new AbortController();
  const timer = setInterval(() => process.ppid !== parent && gone.abort(), PARENT_CHECK_MS);
  const end = await serveWorker(transport, { ...options, gone: gone.signal });
  clearInterval(timer);
  return end === "closed" ? CLOSED : FAILED;
}

async function serveSocket({ listen }: DenoRuntime, path: string, options: ServeOptions): Promise<number> {
  const listener = listen({ transport: "unix", path });
  const serving = new Set<Promise<unknown>>();
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop);
  for await (const connection of listener) {
    const transport = transportOver({ reader: connection, writer: connection, close: () => connection.close() });
    const served = serveWorker(transport, { ...options, gone: stopping.signal }).finally(() => serving.delete(served));
    serving.add(served);
  }
  await Promise.allSettled(serving);
  return CLOSED;

  function stop(): void {
    listener.close();
    stopping.abort();
  }
}
