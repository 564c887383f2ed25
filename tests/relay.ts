import { connect, createServer, type Socket } from "node:net";
import { listen } from "./ports.ts";

/** A server that connects each client to a Postgres server; disposal closes every connection. */
export interface Relay extends AsyncDisposable {
  /** The URL of the database through the relay. */
  readonly url: string;
  /** Closes every connection. */
  cut(): void;
}

/**
 * Starts a relay in front of a server that is reached without encryption. `connected` forwards the bytes in both
 * directions; `end` closes both connections.
 */
export async function startRelay(
  to: string,
  connected: (client: Socket, upstream: Socket, end: () => void) => void,
): Promise<Relay> {
  const server = new URL(to);
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const upstream = connect(Number(server.port || 5432), server.hostname);
    const end = (): void => {
      for (const socket of [client, upstream]) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", end).on("close", end);
    }
    connected(client, upstream, end);
  });
  const url = new URL(to);
  url.port = String(await listen(listener));
  return {
    url: url.href,
    cut,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => listener.close(resolve));
      cut();
      await closed;
    },
  };

  function cut(): void {
    for (const socket of [...sockets]) socket.destroy();
  }
}
