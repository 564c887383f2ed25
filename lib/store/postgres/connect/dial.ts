import { Socket } from "node:net";
import type { HostOrder } from "./hosts.ts";

/** The addresses of servers. */
export interface Servers {
  /** Hosts to try in turn; one that begins with "/" is the directory of a socket in the file system. */
  readonly host: readonly string[];
  /** A port for each host. */
  readonly port: readonly number[];
  /** A socket in the file system instead. */
  readonly path?: string | undefined;
}

/** Options of `dial()`. */
export interface DialOptions {
  /** Which host to try first; hosts that do not accept a connection are passed over. */
  readonly order: HostOrder;
  /** How long to wait for each host, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends all attempts. */
  readonly signal: AbortSignal;
}

/** A connection to a host. */
export interface Dialled {
  /** The connection. */
  readonly socket: Socket;
  /** The index of the host. */
  readonly at: number;
  /** The host. */
  readonly host: string;
}

/**
 * Connects to the first host that accepts a connection.
 *
 * The driver's own sockets cannot be destroyed from outside, and the driver never abandons a socket whose peer vanished
 * silently: its query, and the process with it, would wait forever.
 */
export async function dial(servers: Servers, { order, timeoutMs, signal }: DialOptions): Promise<Dialled> {
  const { path } = servers;
  if (path) return { socket: await open({ path }, timeoutMs, signal), at: 0, host: path };
  let failure: unknown = new Error("there is no host");
  const { first } = order;
  for (const tries of servers.host.keys()) {
    const at = (first + tries) % servers.host.length;
    const host = servers.host[at]!;
    try {
      const port = servers.port[at] ?? servers.port[0] ?? 5432;
      const target = host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
      const socket = await open(target, timeoutMs, signal);
      // The driver reads the host name that a certificate must match from here.
      return { socket: Object.assign(socket, { host, port }), at, host };
    } catch (error) {
      failure = error;
      order.passOver(at);
      if (signal.aborted) break;
    }
  }
  throw failure;
}

function open(
  target: { readonly path: string } | { readonly host: string; readonly port: number },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const timer = setTimeout(
      () => socket.destroy(failure("CONNECT_TIMEOUT", `no connection within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const abort = (): void => void socket.destroy(failure("CONNECTION_ENDED", "it is no longer needed"));
    socket.once("error", failed);
    signal.addEventListener("abort", abort, { once: true });
    const connected = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.off("error", failed);
      // An "error" event without a listener would end the process.
      socket.on("error", () => {});
      socket.setNoDelay(true);
      resolve(socket);
    };
    if ("path" in target) socket.connect({ path: target.path }, connected);
    else socket.connect({ host: target.host, port: target.port }, connected);

    function failed(error: Error): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.destroy();
      reject(error);
    }
  });
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
