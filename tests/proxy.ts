import { connect, createServer, type Socket } from "node:net";
import { listen } from "./ports.ts";

/** When a connection is ended: before a request is passed on, right after it was, or when its answer has come. */
export type Strike = "unsent" | "sent" | "answered";

/** A TCP connection in the middle, to fail on command; disposing of it cuts everything. */
export interface Proxy extends AsyncDisposable {
  /** Where it listens. */
  readonly port: number;
  /** How many connections it carries. */
  readonly open: number;
  /** Leads new connections to another server, as a name does after a failover. */
  lead(to: { readonly host: string; readonly port: number }): void;
  /** Passes nothing on in either direction, and says nothing about it, until `flow()`. */
  hold(): void;
  /**
   * The same once `text` was sent, as if the process of the clients had stopped at that moment: that they close
   * connections is not passed on, either.
   */
  holdAfter(text: string): void;
  /**
   * Swallows responses of the server, once `text` was sent on a connection whose first bytes match, until `flow()`; what
   * is sent arrives.
   */
  muteOn(text: string, hello?: RegExp): void;
  /** Goes on, with what was held. */
  flow(): void;
  /** Ends every connection at once. */
  cut(): void;
  /** Ends single connections, as `choose` says of each request from its connection's first bytes, until `flow()`. */
  strike(choose: (hello: string) => Strike | undefined): void;
  /** Refuses new connections until `accept()`. */
  refuse(): void;
  /** Takes connections again. */
  accept(): void;
  /** Resolves when the next bytes have gone to the server that contain `text`. */
  asked(text: string): Promise<void>;
}

/** Starts a proxy before a server. */
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
      // What is written goes out before the end.
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
