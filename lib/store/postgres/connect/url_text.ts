import { StoreError } from "../../../errors.ts";

const EXPECTED = 'expected "postgres://user:password@host:5432/database", in which "@", ":", "/", "?", "#", "%" and ' +
  'blanks of user and password are written as "%40", "%3A", "%2F", "%3F", "%23", "%25" and "%20"';

/** The error for a URL that cannot be parsed. `reason` must not quote text that may be part of a password. */
export function invalidUrl(reason: string): StoreError {
  return new StoreError("invalid_url", `Cannot use the Postgres URL: ${reason}; ${EXPECTED}`);
}

/** Decodes percent-encoding. */
export function decode(text: string, what: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw invalidUrl(`${what} has a "%" that does not begin an escape of UTF-8`);
  }
  if (decoded.includes("\0")) throw invalidUrl(`${what} has a NUL`);
  return decoded;
}
