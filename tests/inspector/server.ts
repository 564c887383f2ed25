/** A server of whichever runtime runs the tests. */
import { serveOnNode } from "../../lib/inspector/node_server.ts";

/** A server on this machine, which ends at the end of the scope. */
export interface TestServer extends AsyncDisposable {
  /** Where it is, without a slash at the end. */
  readonly url: string;
  /** Its port. */
  readonly port: number;
}

type Handler = (request: Request, connection: unknown) => Response | Promise<Response>;

interface BunLike {
  serve(options: { fetch: Handler; port: number; hostname: string; idleTimeout: number }): {
    readonly port: number;
    stop(closeConnections: boolean): Promise<void>;
  };
}

/** Serves until it is disposed of. */
export async function serve(handler: Handler): Promise<TestServer> {
  const { Bun } = globalThis as { readonly Bun?: BunLike };
  if (Bun !== undefined) {
    const server = Bun.serve({ fetch: handler, port: 0, hostname: "127.0.0.1", idleTimeout: 60 });
    return at(server.port, () => server.stop(true));
  }
  if (!("Deno" in globalThis)) {
    const server = await serveOnNode(async (...args) => await handler(...args), 0, "127.0.0.1");
    return at(server.port, () => server.stop());
  }
  const end = new AbortController();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {}, signal: end.signal }, handler);
  return at(server.addr.port, () => {
    end.abort();
    return server.finished;
  });
}

function at(port: number, stop: () => Promise<void>): TestServer {
  return { url: `http://127.0.0.1:${port}`, port, [Symbol.asyncDispose]: stop };
}
