/**
 * Decides whether a request may read. With `authorize`, that function decides about each request. Without it, only
 * requests from this machine may read: the connection comes from a loopback address, the `Host` is a loopback name (so
 * that no other site can point a name of its own here: DNS rebinding), and the request did not come through a proxy.
 *
 * A proxy on this machine also connects from a loopback address. Most proxies announce themselves in a header. nginx's
 * default `proxy_pass` does not, and sets `Host` to the upstream: its only trace is `Connection: close`, which browsers
 * never send. Requests through such a proxy look like those of a program on this machine, so an inspector behind a
 * proxy needs `authorize`.
 *
 * @module
 */

/** Decides about a request: `true` serves it, a response (such as one with status 401) is sent instead. */
export type Authorize = (request: Request) => boolean | Response | Promise<boolean | Response>;

/** The decision about a request: it may read, is refused for a reason, or gets the response of `authorize`. */
export type Verdict = { readonly kind: "granted" } | { readonly kind: "refused"; readonly message: string } | {
  readonly kind: "answered";
  readonly response: Response;
};

/**
 * Returns why a request cannot be read at all; `undefined` if it can. A server passes on a request without a valid
 * `Host`: Bun with a URL that is only a path, Deno with the address of the server in the URL.
 */
export function whyMalformed(request: Request, connection: unknown): string | undefined {
  const host = request.headers.get("host");
  const isValid = host === null
    ? URL.canParse(request.url) && !isHttp1OfDeno(request.url, connection)
    : HOST.test(host) && URL.canParse(`http://${host}`) && URL.canParse(request.url);
  return isValid ? undefined : "The request has no valid Host header";
}

// Without user, path and the like, which a URL may have and a Host may not.
const HOST = /^(?:[\w.~-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** Whether a request without a Host came over plain HTTP/1 to `Deno.serve`. Over TLS it may be HTTP/2, which has none. */
function isHttp1OfDeno(url: string, connection: unknown): boolean {
  return typeof connection === "object" && connection !== null && "completed" in connection && url.startsWith("http:");
}

/**
 * Decides whether a request may read. `connection` is what the server passes along with it: `Deno.serve` its second
 * argument, `Bun.serve` the server, `@hono/node-server` an object with Node's request as `incoming`, an app of Hono its
 * `c.env`, which is one of these.
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
  // Nothing else grants access: not, for example, an object with unknown fields.
  return answer === true
    ? { kind: "granted" }
    : { kind: "refused", message: "Forbidden: authorize refused the request" };
}

/** Whether a page of another site sent the request from a visitor's browser, other than by a link that was followed. */
export function isForeign({ headers }: Request): boolean {
  return headers.get("sec-fetch-site") === "cross-site" && headers.get("sec-fetch-mode") !== "navigate";
}

const ONLY_LOCAL = "Forbidden: without authorize the inspector serves only clients on this machine";

const PROXY_HEADERS: ReadonlySet<string> = new Set([
  ...["forwarded", "via", "x-real-ip", "true-client-ip", "client-ip", "x-client-ip", "x-cluster-client-ip", "cdn-loop"],
  ...["proxy-connection", "x-original-host", "x-original-url", "x-rewrite-url", "x-amzn-trace-id", "x-scheme"],
]);

const PROXY_PREFIXES = [
  ...["x-forwarded-", "x-envoy-", "x-arr-", "x-azure-", "x-appengine-", "x-vercel-", "x-nf-", "x-akamai-", "x-amz-cf-"],
  ...["cf-", "fly-", "fastly-", "akamai-", "ngrok-", "tailscale-", "x-ingress-", "x-appgw-", "x-proxy-", "x-traefik-"],
];

function isProxied({ headers }: Request): boolean {
  for (const [name] of headers) {
    if (PROXY_HEADERS.has(name) || PROXY_PREFIXES.some((prefix) => name.startsWith(prefix))) return true;
  }
  const isBrowser = headers.has("sec-fetch-mode") || /^Mozilla\//.test(headers.get("user-agent") ?? "");
  return isBrowser && /\bclose\b/i.test(headers.get("connection") ?? "");
}

function whyNotLocal(request: Request, connection: unknown): string | undefined {
  const peer = peerOf(request, connection);
  if (peer === undefined) {
    return `${ONLY_LOCAL}, and this server does not pass the client's address; pass it as the second argument of ` +
      "fetch(), mount with { replaceRequest: false } under Bun, or set authorize";
  }
  if (!isLoopback(peer)) return ONLY_LOCAL;
  if (isProxied(request)) return `${ONLY_LOCAL}, and this request came through a proxy; set authorize`;
  // HTTP/2 has no Host: the name is in the URL. With a Host, the URL may hold another name.
  const hosts = [request.headers.get("host"), new URL(request.url).host].filter((host) => host !== null);
  if (hosts.every(isLocalName)) return undefined;
  return `${ONLY_LOCAL}; open it at localhost`;
}

/** The client's address. */
function peerOf(request: Request, connection: unknown): string | undefined {
  if (typeof connection !== "object" || connection === null) return undefined;
  const { incoming, remoteAddr, requestIP, server } = connection as {
    incoming?: unknown;
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
  if (typeof incoming === "object" && incoming !== null) {
    const { socket } = incoming as { socket?: { remoteAddress?: unknown } | null };
    return typeof socket?.remoteAddress === "string" ? socket.remoteAddress : undefined;
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
