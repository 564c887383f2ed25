import { StoreError } from "../errors.ts";

/** Where a store is. */
export type StoreAddress =
  | { readonly kind: "sqlite"; /** A path, or `":memory:"`. */ readonly path: string }
  | { readonly kind: "postgres"; readonly url: string };

/**
 * Reads a store's URL: `sqlite://./app.db`, `sqlite://app.db`, `sqlite:///abs/app.db`, `sqlite::memory:`,
 * `postgres://…` or `postgresql://…`. Percent escapes in a SQLite path are decoded.
 *
 * @throws {StoreError} `invalid_url`, if it is none of these or carries options that SQLite URLs do not have.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseStoreUrl("sqlite://./my%20app.db"), { kind: "sqlite", path: "./my app.db" });
 * ```
 */
export function parseStoreUrl(url: string): StoreAddress {
  if (/^postgres(ql)?:\/\/./.test(url)) return { kind: "postgres", url };
  if (url === "sqlite::memory:") return { kind: "sqlite", path: ":memory:" };
  if (!url.startsWith("sqlite://")) {
    throw invalid(url, `it is not of the form "sqlite://./app.db", "sqlite::memory:" or "postgres://…"`);
  }
  const escaped = url.slice("sqlite://".length);
  if (escaped.includes("?")) {
    throw invalid(url, `a SQLite URL has no options; write "%3F" for a question mark in the path`);
  }
  const path = decode(escaped);
  if (path === undefined) {
    throw invalid(url, `it has a "%" that does not begin an escape; write "%25" for the sign itself`);
  }
  if (path === "" || path.endsWith("/")) throw invalid(url, "it names no file");
  if (path.includes("\0")) throw invalid(url, "a path cannot hold a NUL");
  if (path === ":memory:") throw invalid(url, `write "sqlite::memory:" for a database in memory`);
  return { kind: "sqlite", path };
}

/**
 * The URL with any password replaced, for messages.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(redactUrl("postgres://me:secret@db/app"), "postgres://me:***@db/app");
 * ```
 */
export function redactUrl(url: string): string {
  // Greedy up to the last "@": a password pasted without escaping may hold any of "@", ":", "/", "?".
  return url.replace(/^([^:]*:\/\/[^:/@]*):.*@/s, "$1:***@").replace(/([?&][^=&]*password=)[^&]*/gi, "$1***");
}

function decode(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}

function invalid(url: string, reason: string): StoreError {
  return new StoreError("invalid_url", `Cannot use the store URL "${redactUrl(url)}": ${reason}`);
}
