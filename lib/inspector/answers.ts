import type { Problem } from "./shapes.ts";

/** The response may load nothing and may not be shown in a frame. */
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Headers of every response: it is not cached, its type is not guessed, and links send no referrer. */
const GUARDS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

const CHUNK = 64 * 1024;

/** A response with all security headers; `policy` states what a page may load. */
export function guarded(response: Response, policy: string = POLICY): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(GUARDS)) headers.set(name, value);
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", policy);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** A copy of a response that the caller may return again; `Response.error()`, which cannot be sent, becomes a 403. */
export function copyOf(response: Response): Response {
  const { status, statusText, headers } = response;
  if (status < 200 || status > 599) return new Response(null, { status: 403 });
  return response.bodyUsed ? new Response(null, { status, statusText, headers }) : response.clone();
}

/** A JSON response. */
export function jsonAnswer(text: string, status = 200): Response {
  return new Response(text, { status, headers: { "content-type": "application/json; charset=utf-8" } });
}

/** A text response with a content type. */
export function textAnswer(text: string, type: string): Response {
  return new Response(text, { headers: { "content-type": type } });
}

/** A page with its own content security policy. */
export function pageAnswer(text: string, policy: string, status = 200): Response {
  return new Response(text, {
    status,
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": policy },
  });
}

/** Streams JSON text in chunks, with back-pressure. */
export function streamAnswer(text: string): Response {
  const encoder = new TextEncoder();
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= text.length) return controller.close();
      // Never splits a surrogate pair.
      const end = at + CHUNK - (isHighSurrogate(text.charCodeAt(at + CHUNK - 1)) ? 1 : 0);
      controller.enqueue(encoder.encode(text.slice(at, end)));
      at = end;
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "application/json; charset=utf-8" } });
}

/** An error response in JSON. */
export function problemAnswer(problem: Problem): Response {
  return jsonAnswer(JSON.stringify(problem), problem.status);
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
