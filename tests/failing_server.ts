/** A proxy between a client and a Postgres server that makes single statements fail with any error code. */
import { startRelay } from "./relay.ts";

/** An error that the server reports. */
export interface Fault {
  /** Its code, of five characters. */
  readonly code: string;
  /** Whether the server would end the connection with it. */
  readonly isFatal?: boolean;
}

/** A server of which single statements fail; disposing of it ends every connection. */
export interface FailingServer extends AsyncDisposable {
  /** The URL of the database through this server. */
  readonly url: string;
  /** Makes the `count`-th statement from now on fail, counted from 1, instead of being executed. */
  at(count: number, fault: Fault): void;
  /** Lets statements pass; returns the text of the statement that has failed, `undefined` if none has. */
  pass(): string | undefined;
}

/** The server reports this code for a portal that does not exist, and Sluice has none of a name. */
const NO_PORTAL = "34000";

/** A failed commit ends its transaction, which an error in its place would not; nor is a failed rollback possible. */
const NEVER_FAILS = /^\s*(commit|rollback)\b/i;

/** Starts it before a server that is reached without encryption. */
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

/** Splits bytes into messages of the protocol, of which a client's first has no type, and joins what `each` returns. */
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
