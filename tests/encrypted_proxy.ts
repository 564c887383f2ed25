/** A server that accepts encrypted connections, in front of one that does not. */
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { listen } from "./ports.ts";

/** Such a server, whose certificate is for "localhost"; disposal closes every connection. */
export interface EncryptedProxy extends AsyncDisposable {
  /** The port on which it listens. */
  readonly port: number;
  /** How many connections were encrypted. */
  readonly encrypted: number;
}

/** The file with the certificate of the authority that issued the certificate of the server, and no other. */
export const AUTHORITY: string = fixture("ca.pem");

/** The first message of a connection that requests encryption. */
const SSL_REQUEST = "0000000804d2162f";

/** Starts the proxy in front of a server. */
export async function startEncryptedProxy(to: string): Promise<EncryptedProxy> {
  const server = new URL(to);
  const sockets = new Set<Socket>();
  let encrypted = 0;
  const inner = createTlsServer(
    {
      key: readFileSync(fixture("server.key")),
      cert: readFileSync(fixture("server.pem")),
      ALPNProtocols: ["postgresql"],
    },
    (client) => {
      encrypted++;
      join(client, connect(Number(server.port), server.hostname));
    },
  ).on("tlsClientError", () => {});
  const innerPort = await listen(inner);
  const outer = createServer((client) => {
    client.once("data", (bytes) => {
      const asks = bytes.toString("hex") === SSL_REQUEST;
      const upstream = connect(innerPort, "127.0.0.1");
      if (asks) client.write("S");
      else upstream.write(bytes);
      join(client, upstream);
    });
  });
  const port = await listen(outer);
  return {
    port,
    get encrypted() {
      return encrypted;
    },
    async [Symbol.asyncDispose]() {
      const closed = [inner, outer].map((one) => new Promise((resolve) => one.close(resolve)));
      for (const socket of [...sockets]) socket.destroy();
      await Promise.all(closed);
    },
  };

  function join(one: Socket, other: Socket): void {
    const end = (): void => {
      for (const socket of [one, other]) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const [from, into] of [[one, other], [other, one]] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (bytes) => into.write(bytes)).on("error", end).on("close", end);
    }
  }
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/tls/${name}`, import.meta.url));
}
