import { StoreError } from "../errors.ts";

/** The password of a Postgres login, or a function that returns the current one, for credentials that rotate. */
export type Password = string | (() => string | Promise<string>);

/** The address of a store. */
export type StoreAddress =
  | { readonly kind: "sqlite"; /** A path, or `":memory:"`. */ readonly path: string }
  | { readonly kind: "postgres"; readonly url: string };

/**
 * Parses the URL of a store: `sqlite://./app.db`, `sqlite://app.db`, `sqlite:///abs/app.db`, `sqlite::memory:`,
 * `postgres://…` or `postgresql://…`. Percent escapes in a SQLite path are decoded; the Postgres backend parses its own
 * URLs. No message quotes the URL: it may contain a password in any form.
 *
 * @throws {StoreError} `invalid_url`, if the URL has none of these forms or is a SQLite URL with options.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseStoreUrl("sqlite://./my%20app.db"), { kind: "sqlite", path: "./my app.db" });
 * ```
 */
export function parseStoreUrl(url: unknown): StoreAddress {
  if (typeof url !== "string") throw invalidUrl(`expected a string such as "sqlite://./app.db"`);
  if (/^postgres(ql)?:\/\//i.test(url)) return { kind: "postgres", url };
  if (url === "sqlite::memory:") return { kind: "sqlite", path: ":memory:" };
  if (!url.startsWith("sqlite://")) {
    throw invalidUrl(
      'it is not of the form "sqlite://./app.db", "sqlite::memory:" or "postgres://user:password@host/app"',
    );
  }
  const escaped = url.slice("sqlite://".length);
  if (escaped.includes("?")) {
    throw invalidUrl(`a SQLite URL has no options; write "%3F" for a question mark in the path`);
  }
  // Messages contain the path, so a path that contains a login would expose it.
  if (/:[^/]*@|:\/\//.test(escaped)) {
    throw invalidUrl('the path looks like a server with a login; write "%40" for "@" or "%3A" for ":" in the path');
  }
  const path = decode(escaped);
  if (path === undefined) {
    throw invalidUrl(`it has a "%" that does not begin an escape; write "%25" for the sign itself`);
  }
  if (path === "" || path.endsWith("/")) throw invalidUrl("it names no file");
  if (path !== path.trim()) {
    // Bun takes the name without the blanks, so that the same URL would mean two files.
    throw invalidUrl("the path begins or ends with white space");
  }
  if (path.startsWith("file:")) {
    throw invalidUrl('the path is a URI; write the path itself, or "./" before a name that begins with "file:"');
  }
  if (path.includes("\0")) throw invalidUrl("the path contains a NUL character");
  if (path === ":memory:") throw invalidUrl(`write "sqlite::memory:" for a database in memory`);
  return { kind: "sqlite", path };
}

/** Returns the error for a store URL that cannot be used. */
export function invalidUrl(reason: string): StoreError {
  return new StoreError("invalid_url", `Cannot use the store URL: ${reason}`);
}

function decode(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}
