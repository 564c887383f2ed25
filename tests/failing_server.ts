/** A proxy between a client and a Postgres server that makes selected statements fail with any error code. */
import { startRelay } from "./relay.ts";

/** An error that the server reports. */
export interface Fault {
  /** Its code, of five characters. */
  readonly code: string;
  /** Whether the server would close the connection with it. */
  readonly isFatal?: boolean;
}

/** A server of which selected statements fail; disposal closes every connection. */
export interface FailingServer extends AsyncDisposable {
  /** The URL of the database through this server. */
  readonly url: string;
  /** Makes the `count`-th statement from now on fail, counted from 1, instead of being executed. */
  at(count: number, fault: Fault): void;
  /** Stops injecting failures; returns the text of the failed statement, `undefined` if none has failed. */
  pass(): string | undefined;
}

/** The code for a portal that does not exist; Sluice uses no named portals. */
const NO_PORTAL = "34000";

/** Excluded: a failed commit ends its transaction, which an injected error does not do; and a rollback cannot fail. */
const NEVER_FAILS = /^\s*(commit|rollback)\b/i;

/** Starts the proxy in front of a server that is reached without encryption. */
export async function startFailingServer(to: string): Promise<FailingServer> {
  let left = 0;
  let failed: string | undefined;
  let fault: Fault = { code: NO_PORTAL };
  const relay = await startRelay(to, (client, upstream) => {
    const texts = new Map<string, string>();
    let bound = "";
    const asked = messages(true, (type, message) => {
      const body = message.toString("latin1", 5);
      const [first = "", second = ""] = body.split("\0", 2);
      if (type === "P") texts.set(first, second);
      if (type === "B") bound = texts.get(second) ?? "";
      if (type !== "E" || NEVER_FAILS.test(bound) || left === 0 || --left > 0) return message;
      failed = bound;
      const portal = Buffer.from("E\0\0\0\0another\0\0\0\0\0", "latin1");
      portal.writeUInt32BE(portal.length - 1, 1);
      return portal;
    });
    const answered = messages(false, (type, message) => {
      if (type !== "E" || !message.includes(`C${NO_PORTAL}\0`)) return message;
      const text = message.toString("latin1").replace(`C${NO_PORTAL}\0`, `C${fault.code}\0`);
      return Buffer.from(fault.isFatal ? text.replace("SERROR\0VERROR\0", "SFATAL\0VFATAL\0") : text, "latin1");
    });
    client.on("data", (bytes) => void upstream.write(asked(bytes)));
    upstream.on("data", (bytes) => void client.write(answered(bytes)));
  });
  return {
    url: relay.url,
    at(count, next) {
      left = count;
      failed = undefined;
      fault = next;
    },
    pass() {
      left = 0;
      return failed;
    },
    [Symbol.asyncDispose]: relay[Symbol.asyncDispose],
  };
}

/** Splits bytes into protocol messages, of which the first of a client has no type, and joins the results of `each`. */
function messages(isClient: boolean, each: (type: string, message: Buffer) => Buffer): (bytes: Uint8Array) => Buffer {
  let rest = Buffer.alloc(0);
  let isFirst = isClient;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const passed: Buffer[] = [];
    for (;;) {
      const head = isFirst ? 0 : 1;
      if (rest.length < head + 4) break;
      const length = head + rest.readUInt32BE(head);
      if (rest.length < length) break;
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      passed.push(isFirst ? message : each(String.fromCharCode(message[0]!), message));
      isFirst = false;
    }
    return Buffer.concat(passed);
  };
}
