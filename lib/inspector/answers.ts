import type { Problem } from "./shapes.ts";

/** Nothing may be loaded by what is answered, nor may it be shown inside of another page. */
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What every answer says besides: to keep no copy, to guess no type, and to tell nobody where one has been. */
const GUARDS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

const CHUNK = 64 * 1024;

/** An answer with every header that keeps it safe; `policy` says what a page may load. */
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

/** Data as JSON. */
export function jsonAnswer(text: string, status = 200): Response {
  return new Response(text, { status, headers: { "content-type": "application/json; charset=utf-8" } });
}

/** Text of a type. */
export function textAnswer(text: string, type: string): Response {
  return new Response(text, { headers: { "content-type": type } });
}

/** A page, which brings its policy. */
export function pageAnswer(text: string, policy: string, status = 200): Response {
  return new Response(text, {
    status,
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": policy },
  });
}

/** JSON text piece by piece, as fast as it is taken. */
export function streamAnswer(text: string): Response {
  const encoder = new TextEncoder();
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= text.length) return controller.close();
      // Not between the halves of a character.
      const end = at + CHUNK - (isHighSurrogate(text.charCodeAt(at + CHUNK - 1)) ? 1 : 0);
      controller.enqueue(encoder.encode(text.slice(at, end)));
      at = end;
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "application/json; charset=utf-8" } });
}

/** A refusal as JSON. */
export function problemAnswer(problem: Problem): Response {
  return jsonAnswer(JSON.stringify(problem), problem.status);
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
