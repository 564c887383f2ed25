import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

/** How a connection is encrypted, by the names and meanings of libpq's parameters. */
export interface Tls {
  /** Whether the connection is encrypted, and how the server is verified. `allow` means the same as `prefer`. */
  readonly mode: "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";
  /** A file of trusted certificates, or `system` for those of the runtime. */
  readonly rootCert: string | undefined;
  /** A file with the client's certificate. */
  readonly cert: string | undefined;
  /** A file with the client's key. */
  readonly key: string | undefined;
  /** The passphrase of the client's key. */
  readonly keyPassword: string | undefined;
  /** Whether TLS begins at once, without a request for it. */
  readonly isDirect: boolean;
}

/** The driver's TLS options, which are those of `tls.connect()`, completed before each connection. */
export interface TlsOptions {
  rejectUnauthorized?: boolean;
  checkServerIdentity?: () => undefined;
  ca?: Uint8Array;
  cert?: Uint8Array;
  key?: Uint8Array;
  passphrase?: string;
  host?: string;
}

/** The driver's option `ssl`. */
export function driverTls({ mode, rootCert, keyPassword }: Tls): false | "prefer" | TlsOptions {
  const secret = keyPassword === undefined ? {} : { passphrase: keyPassword };
  switch (mode) {
    case "disable":
      return false;
    case "allow":
    case "prefer":
      return "prefer";
    case "require":
      // As in libpq: with trusted certificates, the certificate of the server must be signed by them.
      return rootCert === undefined ? { rejectUnauthorized: false, ...secret } : withoutName(secret);
    case "verify-ca":
      return withoutName(secret);
    case "verify-full":
      return { rejectUnauthorized: true, ...secret };
  }
}

/** Reads the files and sets the server's name; again for each connection, as certificates are renewed. */
export async function completeTls(options: TlsOptions, { rootCert, cert, key }: Tls, host: string): Promise<void> {
  if (rootCert !== undefined && rootCert !== "system") options.ca = await readFile(rootCert);
  if (cert !== undefined) options.cert = await readFile(cert);
  if (key !== undefined) options.key = await readFile(key);
  // The driver passes host names on, and causes an address to be compared with "localhost".
  if (isIP(host) > 0) options.host = host;
}

function withoutName(secret: TlsOptions): TlsOptions {
  return { rejectUnauthorized: true, checkServerIdentity: () => undefined, ...secret };
}
