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
export async function dial(address: Address, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  if (address.path) return await open({ path: address.path }, timeoutMs, signal);
  let failure: unknown;
  for (const [index, host] of address.host.entries()) {
    try {
      const port = address.port[index] ?? address.port[0] ?? 5432;
      const socket = await open({ host, port }, timeoutMs, signal);
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
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const timer = setTimeout(
      () => socket.destroy(failure("CONNECT_TIMEOUT", `no connection within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const abort = (): void => void socket.destroy(failure("CONNECTION_ENDED", "it is not needed any more"));
    socket.once("error", failed);
    signal.addEventListener("abort", abort, { once: true });
    socket.connect(target as { host: string; port: number }, () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.off("error", failed);
      // One that errs while nobody listens would end the process.
      socket.on("error", () => {});
      socket.setNoDelay(true);
      resolve(socket);
    });

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
