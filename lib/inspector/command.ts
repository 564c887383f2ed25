/**
 * The inspector as a command, for any SQLite file or Postgres URL: it opens the database read-only and serves
 * this machine only.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { systemClock } from "../clock.ts";
import { SluiceError } from "../sluice_error.ts";
import type { Logger } from "../logger.ts";
import { openStore } from "../store/open.ts";
import { createInspector, type InspectorOptions } from "./inspector.ts";
import { type Handler, serveOnNode } from "./node_server.ts";

const USAGE = `Usage: deno run -A jsr:@sluice/sluice/inspector <store> [options]

  <store>            sqlite://./app.db, or postgres://user:password@host/database
  --schema=<name>    the tenant, on Postgres (default: sluice)
  --port=<number>    the port on localhost (default: 8484; 0 selects a free port)
  --title=<text>     the title of the pages (default: Sluice)
  --redact=<path>    hides a field of payloads, such as input.password or **.token; may be repeated

The database is opened read-only. Ctrl-C stops the server.`;

const PORT = 8_484;

/** Opens the store that the arguments name and serves the inspector until the process receives a signal to end. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await serve(args);
  } catch (error) {
    // Expected errors: a message suffices. Any other error is a bug and is shown with its stack.
    if (!(error instanceof SluiceError || error instanceof TypeError)) throw error;
    say(process.stderr, error.message);
    process.exitCode = 1;
  }
}

async function serve(args: readonly string[]): Promise<void> {
  const { values, positionals: [url, ...more] } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      port: { type: "string" },
      redact: { type: "string", multiple: true },
      schema: { type: "string" },
      title: { type: "string" },
    },
  });
  if (values.help === true) return say(process.stdout, USAGE);
  if (url === undefined || more.length > 0) throw new TypeError(USAGE);
  await serveStore(url, values, (line) => say(process.stdout, line));
}

/** Options of the command, as on the command line. */
export interface ServeOptions {
  /** The port. @default {"8484"} */
  readonly port?: string | undefined;
  /** Fields to hide. @default {[]} */
  readonly redact?: readonly string[] | undefined;
  /** The tenant, on Postgres. @default {"sluice"} */
  readonly schema?: string | undefined;
  /** The title of the pages. @default {"Sluice"} */
  readonly title?: string | undefined;
}

/**
 * Serves the inspector of a store until the process gets SIGINT or SIGTERM; `print` receives its URL.
 *
 * @throws {TypeError} If an option is invalid or the port is taken.
 * @throws {StoreError} If the store cannot be opened.
 */
export async function serveStore(url: string, values: ServeOptions, print: (line: string) => void): Promise<void> {
  const port = portOf(values.port);
  const options: InspectorOptions = {
    logger: LOGGER,
    ...(values.redact === undefined ? {} : { redact: values.redact }),
    ...(values.title === undefined ? {} : { title: values.title }),
  };
  const { store, close } = await openStore(url, {
    schema: values.schema,
    durability: "process",
    clock: systemClock,
    logger: LOGGER,
    readOnly: true,
  });
  try {
    const server = await listen(createInspector(store, options).fetch, port);
    print(`${store.name} at http://localhost:${server.port}/ (read-only; Ctrl-C stops it)`);
    await told();
    await server.stop();
  } finally {
    await close();
  }
}

interface Server {
  readonly port: number;
  stop(): Promise<void>;
}

/** The part of the runtimes' servers that is used here. */
interface Runtimes {
  readonly Bun?: {
    serve(options: { fetch: Handler; port: number; hostname: string }): {
      readonly port: number;
      stop(closeConnections: boolean): Promise<void>;
    };
  };
  readonly Deno?: {
    serve(options: { port: number; hostname: string; onListen(): void; signal: AbortSignal }, handler: Handler): {
      readonly addr: { readonly port: number };
      readonly finished: Promise<void>;
    };
  };
}

// By number, as "localhost" may be another address for one runtime than for the other.
const HOST = "127.0.0.1";

async function listen(fetch: Handler, port: number): Promise<Server> {
  const { Bun, Deno } = globalThis as Runtimes;
  try {
    if (Bun !== undefined) {
      const server = Bun.serve({ fetch, port, hostname: HOST });
      return { port: server.port, stop: () => server.stop(true) };
    }
    if (Deno === undefined) return await serveOnNode(fetch, port, HOST);
    const end = new AbortController();
    const server = Deno.serve({ port, hostname: HOST, onListen() {}, signal: end.signal }, fetch);
    return {
      port: server.addr.port,
      stop() {
        end.abort();
        return server.finished;
      },
    };
  } catch (error) {
    if (!isTaken(error)) throw error;
    throw new TypeError(`Cannot listen on port ${port}: it is in use; choose another one, or --port=0 for a free port`);
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && (error.name === "AddrInUse" || ("code" in error && error.code === "EADDRINUSE"));
}

function portOf(text: string | undefined): number {
  if (text === undefined) return PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65_535) return port;
  throw new TypeError(`Cannot listen on port "${text}": it must be an integer from 0 to 65535`);
}

/** Resolves when the process receives SIGINT or SIGTERM. */
function told(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

const LOGGER: Logger = {
  debug() {},
  info() {},
  warn: (message) => say(process.stderr, message),
  error: (message, fields) => say(process.stderr, `${message} ${JSON.stringify(fields ?? {})}`),
};

function say(stream: { write(text: string): unknown }, text: string): void {
  stream.write(`${text}\n`);
}
