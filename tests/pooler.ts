/** A proxy between a client and a server that changes the settings of new connections. */
import { startRelay } from "./relay.ts";

/** A pooler; disposal closes every connection. */
export interface Pooler extends AsyncDisposable {
  /** The URL of the database through the pooler. */
  readonly url: string;
  /** Closes every connection, and rejects that many logins with an internal error. */
  fail(logins: number): void;
}

/** The settings that poolers support. */
const KNOWN = new Set(["user", "database", "client_encoding", "application_name"]);

/**
 * Starts a pooler in front of a server. Like PgBouncer it drops unknown settings (with `ignore_startup_parameters`) or
 * rejects the connection (without); or it makes every connection read-only, like a replica; or during a failure it
 * rejects logins with an internal error and closes the other connections, like Supavisor and Neon. Each client keeps
 * its server connection.
 */
export async function startPooler(to: string, way: "drops" | "refuses" | "only reads" | "fails"): Promise<Pooler> {
  let left = way === "fails" ? 8 : 0;
  const relay = await startRelay(to, (client, upstream, end) => {
    client.once("data", (hello) => {
      const settings = settingsIn(hello);
      if (left > 0) {
        left--;
        client.write(refusal("an internal error of the pooler", "XX000"), () => end());
        return;
      }
      if (way === "only reads") {
        upstream.write(helloOf([...settings, ["default_transaction_read_only", "on"]]));
        client.on("data", (bytes) => upstream.write(bytes));
        return;
      }
      if (way === "fails") {
        upstream.write(hello);
        client.on("data", (bytes) => upstream.write(bytes));
        return;
      }
      const unknown = [...settings.keys()].find((name) => !KNOWN.has(name));
      if (unknown !== undefined && way === "refuses") {
        client.write(refusal(`unsupported startup parameter: ${unknown}`), () => end());
        return;
      }
      upstream.write(helloOf([...settings].filter(([name]) => KNOWN.has(name))));
      client.on("data", (bytes) => upstream.write(bytes));
    });
    upstream.on("data", (bytes) => client.write(bytes));
  });
  return {
    url: relay.url,
    fail(logins) {
      left = logins;
      relay.cut();
    },
    [Symbol.asyncDispose]: relay[Symbol.asyncDispose],
  };
}

/** Parses the settings of a startup message: its length, the version of the protocol, then names and values. */
function settingsIn(hello: Uint8Array): ReadonlyMap<string, string> {
  const texts = new TextDecoder().decode(hello.subarray(8)).split("\0");
  const settings = new Map<string, string>();
  for (let at = 0; texts[at] !== undefined && texts[at] !== ""; at += 2) settings.set(texts[at]!, texts[at + 1] ?? "");
  return settings;
}

function helloOf(settings: readonly (readonly [string, string])[]): Uint8Array {
  const body = new TextEncoder().encode(settings.map(([name, value]) => `${name}\0${value}\0`).join("") + "\0");
  const hello = new Uint8Array(8 + body.length);
  new DataView(hello.buffer).setUint32(0, hello.length);
  new DataView(hello.buffer).setUint32(4, 3 << 16);
  hello.set(body, 8);
  return hello;
}

function refusal(message: string, code = "08P01"): Uint8Array {
  const body = new TextEncoder().encode(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = "E".charCodeAt(0);
  new DataView(bytes.buffer).setUint32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}
