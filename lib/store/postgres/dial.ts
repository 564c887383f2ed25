import { Buffer } from "node:buffer";
import { Socket } from "node:net";

/** Where a server is. */
export interface Address {
  /** Hosts to try in turn. */
  readonly host: readonly string[];
  /** A port for each host. */
  readonly port: readonly number[];
  /** A socket in the file system instead. */
  readonly path?: string | undefined;
}

/**
 * Connects to the first host that answers.
 *
 * The driver's own sockets cannot be destroyed from outside, and it never gives up one whose other end has gone
 * without a word: its query would wait for ever, and the process with it.
 */
export async function dial(address: Address, timeoutMs: number): Promise<Socket> {
  if (address.path) return await open({ path: address.path }, timeoutMs);
  let failure: unknown;
  for (const [index, host] of address.host.entries()) {
    try {
      const port = address.port[index] ?? address.port[0] ?? 5432;
      const socket = await open({ host, port }, timeoutMs);
      // The driver reads the name that a certificate must have from here.
      return Object.assign(socket, { host, port });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function open(
  target: { readonly path: string } | { readonly host: string; readonly port: number },
  timeoutMs: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const timer = setTimeout(() => socket.destroy(timeout()), timeoutMs);
    socket.once("error", failed);
    socket.connect(target as { host: string; port: number }, () => {
      clearTimeout(timer);
      socket.off("error", failed);
      // One that errs while nobody listens would end the process.
      socket.on("error", () => {});
      socket.setNoDelay(true);
      resolve(socket);
    });

    function failed(error: Error): void {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    }
  });

  function timeout(): Error {
    return Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: "CONNECT_TIMEOUT" });
  }
}

/** How many bytes a text takes on the wire. */
export function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}
