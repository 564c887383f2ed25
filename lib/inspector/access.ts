/**
 * Who may read. With `authorize` that decides, for each request; without it only who sits at this machine: the connection
 * comes from a loopback address, and the browser was told to go to one (by its `Host`), so that no other site can have
 * its own name point here (DNS rebinding). A request that came by way of a proxy is none of this machine.
 *
 * @module
 */

/** Decides about a request: true lets it read, a response (such as one with status 401) is what it gets instead. */
export type Authorize = (request: Request) => boolean | Response | Promise<boolean | Response>;

/** Why somebody may not read, or what `authorize` answered instead. */
export type Verdict = { readonly kind: "granted" } | { readonly kind: "refused"; readonly message: string } | {
  readonly kind: "answered";
  readonly response: Response;
};

/**
 * Whether a request may read. `connection` is what the server tells along with it: of `Deno.serve` the second argument,
 * of `Bun.serve` the server, in an app of Hono its `c.env`, which is one of these.
 *
 * @throws What `authorize` throws.
 */
export async function mayRead(
  request: Request,
  connection: unknown,
  authorize: Authorize | undefined,
): Promise<Verdict> {
  if (authorize === undefined) {
    const message = whyNotLocal(request, connection);
    return message === undefined ? { kind: "granted" } : { kind: "refused", message };
  }
  const answer: unknown = await authorize(request);
  if (answer instanceof Response) return { kind: "answered", response: answer };
  // Nothing else counts as yes, such as a promise or an object that somebody forgot to look into.
  return answer === true ? { kind: "granted" } : { kind: "refused", message: "You may not read this" };
}

/** Whether a page of another site asks, in the name of somebody who only visits it; to follow a link is his own doing. */
export function isForeign({ headers }: Request): boolean {
  return headers.get("sec-fetch-site") === "cross-site" && headers.get("sec-fetch-mode") !== "navigate";
}

const ONLY_LOCAL = "Only this machine may read this: the inspector was made without authorize";

const PROXY_HEADERS = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

function whyNotLocal(request: Request, connection: unknown): string | undefined {
  const peer = peerOf(request, connection);
  if (peer === undefined) {
    return `${ONLY_LOCAL}, and the server does not say where a request comes from; under Bun mount it with ` +
      "{ replaceRequest: false }, or give it authorize";
  }
  if (!isLoopback(peer)) return ONLY_LOCAL;
  if (PROXY_HEADERS.some((name) => request.headers.has(name))) return `${ONLY_LOCAL}, and this came by way of a proxy`;
  // Where there is no Host, as with HTTP/2, its part is in the URL; where there is, the URL might say something else.
  const hosts = [request.headers.get("host"), new URL(request.url).host].filter((host) => host !== null);
  if (hosts.every(isLocalName)) return undefined;
  return `${ONLY_LOCAL}; go to it by way of localhost`;
}

/** The address of the other end of a connection. */
function peerOf(request: Request, connection: unknown): string | undefined {
  if (typeof connection !== "object" || connection === null) return undefined;
  const { remoteAddr, requestIP, server } = connection as {
    remoteAddr?: unknown;
    requestIP?: unknown;
    server?: unknown;
  };
  if (typeof remoteAddr === "object" && remoteAddr !== null) {
    const { hostname } = remoteAddr as { hostname?: unknown };
    return typeof hostname === "string" ? hostname : undefined;
  }
  if (typeof requestIP === "function") {
    const ip: unknown = requestIP.call(connection, request);
    if (typeof ip !== "object" || ip === null) return undefined;
    const { address } = ip as { address?: unknown };
    return typeof address === "string" ? address : undefined;
  }
  return server === undefined || server === connection ? undefined : peerOf(request, server);
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127(\.\d{1,3}){3}$/i.test(address);
}

function isLocalName(host: string): boolean {
  const name = host.replace(/:\d*$/, "").toLowerCase();
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}
