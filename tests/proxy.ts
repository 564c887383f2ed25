import { connect, createServer, type Socket } from "node:net";
import { listen } from "./ports.ts";

/**
 * The moment at which a connection is closed: before a request is forwarded, right after that, or after its response.
 */
export type Strike = "unsent" | "sent" | "answered";

/** A TCP proxy that injects network failures; disposal closes all connections. */
export interface Proxy extends AsyncDisposable {
  /** The port on which it listens. */
  readonly port: number;
  /** How many connections are open. */
  readonly open: number;
  /** Directs new connections to another server, like a host name after a failover. */
  lead(to: { readonly host: string; readonly port: number }): void;
  /** Silently holds all data in both directions until `flow()`. */
  hold(): void;
  /**
   * Holds all data once `text` was sent, as if the process of the clients had been suspended at that moment: the end of
   * their connections is not forwarded, either.
   */
  holdAfter(text: string): void;
  /**
   * Drops responses of the server, once `text` was sent on a connection whose first bytes match, until `flow()`;
   * requests are still forwarded.
   */
  muteOn(text: string, hello?: RegExp): void;
  /** Continues, and forwards the held data. */
  flow(): void;
  /** Closes every connection immediately. */
  cut(): void;
  /**
   * Closes the connections that `choose` selects for each request by the first bytes of its connection, until `flow()`.
   */
  strike(choose: (hello: string) => Strike | undefined): void;
  /** Refuses new connections until `accept()`. */
  refuse(): void;
  /** Accepts connections again. */
  accept(): void;
  /** Resolves when the next bytes that contain `text` have been sent to the server. */
  asked(text: string): Promise<void>;
}

/** Starts a proxy in front of a server. */
export async function startProxy(first: { readonly host: string; readonly port: number }): Promise<Proxy> {
  let to = first;
  const pairs = new Set<{ readonly client: Socket; readonly server: Socket }>();
  const waiting: { readonly text: string; readonly resolve: () => void }[] = [];
  let isHeld = false;
  let quiet: { readonly text: string; readonly hello: RegExp } | undefined;
  let isMute = false;
  let holdAfter: string | undefined;
  const ends: (() => void)[] = [];
  let isRefusing = false;
  let choose: (hello: string) => Strike | undefined = () => undefined;
  const listener = createServer((client) => {
    if (isRefusing) return void client.destroy();
    const server = connect(to.port, to.host);
    const pair = { client, server };
    pairs.add(pair);
    const end = (): void => {
      if (isHeld && holdAfter !== undefined) return void ends.push(end);
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", end).on("close", end);
      if (isHeld) socket.pause();
    }
    let hello: string | undefined;
    let strike: Strike | undefined;
    client.on("data", (bytes) => {
      hello ??= bytes.toString("latin1");
      strike ??= choose(hello);
      if (strike === "unsent") return end();
      if (quiet?.hello.test(hello) && bytes.includes(quiet.text)) isMute = true;
      server.write(bytes);
      if (holdAfter !== undefined && bytes.includes(holdAfter)) hold();
      for (const one of [...waiting]) {
        if (!bytes.includes(one.text)) continue;
        waiting.splice(waiting.indexOf(one), 1);
        one.resolve();
      }
      // Written data is sent before the end.
      if (strike === "sent") server.end(() => end());
    });
    server.on("data", (bytes) => {
      if (strike === "answered") return end();
      if (!isMute) client.write(bytes);
    });
  });
  const port = await listen(listener);
  return {
    port,
    get open() {
      return pairs.size;
    },
    lead: (other) => void (to = other),
    hold,
    holdAfter: (text) => void (holdAfter = text),
    muteOn: (text, hello = /^/) => void (quiet = { text, hello }),
    flow() {
      isHeld = isMute = false;
      holdAfter = undefined;
      quiet = undefined;
      choose = () => undefined;
      for (const end of ends.splice(0)) end();
      for (const { client, server } of pairs) [client, server].forEach((socket) => socket.resume());
    },
    cut,
    strike: (by) => void (choose = by),
    refuse: () => void (isRefusing = true),
    accept: () => void (isRefusing = false),
    asked: (text) => new Promise((resolve) => waiting.push({ text, resolve })),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => listener.close(resolve));
      cut();
      await closed;
    },
  };

  function hold(): void {
    isHeld = true;
    for (const { client, server } of pairs) [client, server].forEach((socket) => socket.pause());
  }

  function cut(): void {
    for (const { client, server } of [...pairs]) {
      client.destroy();
      server.destroy();
    }
  }
}
