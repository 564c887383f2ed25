/**
 * Serves a fetch handler under Node, which has no server of this form. The second argument of the handler is
 * `{ incoming }`, as with the package `@hono/node-server`.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A handler of requests without bodies. */
export type Handler = (request: Request, connection: unknown) => Promise<Response>;

/** A server that listens. */
export interface NodeServer {
  /** The port on which it listens. */
  readonly port: number;
  /** Stops listening and closes all connections. */
  stop(): Promise<void>;
}

/** Starts a server. Rejects with an error whose `code` is `"EADDRINUSE"` if the port is taken. */
export async function serveOnNode(handler: Handler, port: number, hostname: string): Promise<NodeServer> {
  const { createServer } = await import("node:http");
  const server = createServer((incoming, outgoing) => void respond(handler, incoming, outgoing));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => resolve());
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const left = new AbortController();
  outgoing.once("close", () => left.abort());
  const request = requestOf(incoming, left.signal);
  if (request === undefined) {
    outgoing.writeHead(400).end();
    return;
  }
  const { status, headers, body } = await handler(request, { incoming });
  outgoing.writeHead(status, [...headers].flat());
  if (body === null) {
    outgoing.end();
    return;
  }
  // Fails if the client leaves before the end, which cancels the body.
  await pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), outgoing).catch(() => {});
}

/**
 * Converts a request; the methods that the inspector serves have no body. Returns `undefined` for an invalid one, such as
 * one of HTTP/1.0 without a `Host`.
 */
function requestOf(
  { headers: { host }, method, rawHeaders, url }: IncomingMessage,
  signal: AbortSignal,
): Request | undefined {
  if (host === undefined) return undefined;
  try {
    const headers = new Headers();
    for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
    return new Request(new URL(url ?? "/", `http://${host}`), {
      method: method ?? "GET",
      headers,
      signal,
    });
  } catch {
    return undefined;
  }
}
