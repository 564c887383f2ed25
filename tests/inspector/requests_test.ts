/** Requests that came through a proxy, have no valid Host, or meet an `authorize` that misbehaves. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "node:net";
import { createApp, type Fetch } from "../../lib/inspector/app.ts";
import { createInspector, type InspectorOptions } from "../../lib/inspector/mod.ts";
import { contextFor } from "../../lib/engine/client/client_context.ts";
import { pathsBelow } from "../../lib/inspector/reading.ts";
import { createRedactor } from "../../lib/inspector/redact.ts";
import { type Logger, silent } from "../../lib/logger.ts";
import type { Store } from "../../mod.ts";
import { test } from "../harness.ts";
import { ask, ground } from "./ground.ts";
import { serve } from "./server.ts";

const LOCAL = { remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 5 } };

const PROXY_HEADERS: readonly (readonly [string, string])[] = [
  ["via", "1.1 edge"],
  ["forwarded", "for=1.2.3.4"],
  ["x-real-ip", "1.2.3.4"],
  ["true-client-ip", "1.2.3.4"],
  ["cdn-loop", "cloudflare"],
  ...["for", "host", "proto", "port", "server", "prefix"].map((name) => [`x-forwarded-${name}`, "a"] as const),
  ...["cf-connecting-ip", "cf-ray", "cf-visitor"].map((name) => [name, "a"] as const),
  ...["x-envoy-external-address", "fly-client-ip", "x-amzn-trace-id", "x-original-host"].map((n) => [n, "a"] as const),
];

test("without authorize a request that came through a proxy is refused, and the answer says what to do", async () => {
  await using on = ground("sqlite");
  const { fetch } = createInspector(await on.open());
  const get = (headers: HeadersInit): Promise<Response> =>
    fetch(new Request("http://localhost/api/runs", { headers }), LOCAL);
  for (const [name, value] of PROXY_HEADERS) {
    const answer = await get({ [name]: value });
    assertEquals([answer.status, name], [403, name]);
    assertStringIncludes((await answer.json()).message, "authorize");
  }
  // nginx announces itself by nothing but "Connection: close", which no browser sends to a server by itself.
  const browser = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)", "accept": "text/html" };
  assertEquals((await get({ ...browser, connection: "close" })).status, 403);
  assertEquals((await get({ "sec-fetch-mode": "navigate", connection: "close" })).status, 403);
  assertEquals((await get({ ...browser, connection: "keep-alive" })).status, 200);
  assertEquals((await get({ "user-agent": "Python-urllib/3.13", connection: "close" })).status, 200);
});

test("with authorize a request through a proxy is decided by it", async () => {
  await using on = ground("sqlite");
  const asked = ask(await on.open());
  for (const [name, value] of PROXY_HEADERS) {
    assertEquals((await asked("/api/runs", { headers: { [name]: value } })).status, 200);
  }
});

test("a Host that is missing or malformed is a 400 from a server of this runtime, whatever authorize says", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const logged: string[] = [];
  const logger: Logger = { ...silent, error: (message) => void logged.push(message) };
  const hosts = [
    "",
    "a b",
    "[::1",
    "localhost:99999",
    "localhost:x",
    "localhost/x",
    "u@localhost",
    "a,b",
    "%zz",
    "<b>",
  ];
  for (const authorize of [undefined, () => true]) {
    await using server = await serve(createInspector(store, { ...authorize && { authorize }, logger }).fetch);
    for (const host of hosts) {
      for (const method of ["GET", "POST"]) {
        const head = `${method} /api/runs HTTP/1.1\r\nHost: ${host}\r\ncontent-length: 0\r\n`;
        assertEquals([host, await rawStatus(server.port, head)], [host, 400]);
      }
    }
    for (const version of ["1.0", "1.1"]) {
      assertEquals(await rawStatus(server.port, `GET /api/runs HTTP/${version}\r\n`), 400);
    }
    assertEquals(await rawStatus(server.port, "GET /runs HTTP/1.1\r\nHost: a\r\nHost: b\r\n"), 400);
    assertEquals(await rawStatus(server.port, `GET /api/runs HTTP/1.1\r\nHost: localhost:${server.port}\r\n`), 200);
  }
  assertEquals(logged, []);
});

test("authorize may return one and the same response to every request", async () => {
  await using on = ground("sqlite");
  const refusal = new Response("log in first", { status: 401, headers: { "www-authenticate": "Basic" } });
  await using server = await serve(createInspector(await on.open(), { authorize: () => refusal }).fetch);
  for (let i = 0; i < 3; i++) {
    const answer = await fetch(`${server.url}/api/runs`);
    assertEquals([answer.status, await answer.text()], [401, "log in first"]);
  }
});

test("a response of authorize whose body was read already, or that has no valid status, still refuses", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const used = new Response("once", { status: 401 });
  await used.text();
  assertEquals(await statusOf(ask(store, { authorize: () => used })), 401);
  assertEquals(await statusOf(ask(store, { authorize: () => Response.error() })), 403);
  assertEquals(await statusOf(ask(store, { authorize: () => Response.redirect("http://localhost/login", 302) })), 302);
  assertEquals(await statusOf(ask(store, { authorize: () => new Response(null, { status: 204 }) })), 204);
});

test("an authorize that does not settle is a 503 after a while, and is logged", async () => {
  await using on = ground("sqlite");
  const logged: string[] = [];
  const fetch = appOf(await on.open(), {
    authorize: () => new Promise(() => {}),
    logger: { ...silent, error: (message) => void logged.push(message) },
  });
  const answer = await fetch(new Request("http://localhost/api/runs"));
  assertEquals([answer.status, logged.length], [503, 1]);
});

test("nothing that authorize throws, and no logger, makes fetch reject", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const throwing: Logger = { ...silent, error: () => fail(new Error("disk full")) };
  for (const thrown of [Object.create(null), Symbol("no"), undefined, new Proxy({}, { get: () => fail(7) })]) {
    for (const logger of [silent, throwing]) {
      const asked = ask(store, { logger, authorize: () => fail(thrown) });
      assertEquals(await statusOf(asked), 500);
    }
  }
  const broken: Store = {
    ...store,
    inspection: { ...store.inspection, tally: () => Promise.reject(Object.create(null)) },
  };
  assertEquals(await statusOf(ask(broken, { logger: throwing })), 500);
});

async function statusOf(asked: (path: string) => Promise<Response>): Promise<number> {
  const answer = await asked("/api/runs");
  await answer.body?.cancel();
  return answer.status;
}

function appOf(store: Store, options: Required<Pick<InspectorOptions, "authorize" | "logger">>): Fetch {
  const reading = {
    context: contextFor(store, { logger: silent, action: "" }),
    redactor: createRedactor([]),
    path: pathsBelow(""),
    actions: () => [],
  };
  return createApp(reading, { ...options, basePath: "", title: "t", patienceMs: 20 }).fetch;
}

/** The status of the response to a request with this head, sent unchanged. */
function rawStatus(port: number, head: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.setEncoding("utf8");
    socket.on("data", (text) => {
      answer += text;
      if (answer.includes("\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1])));
    socket.on("error", reject);
    socket.write(`${head}\r\n`);
  });
}

function fail(thrown: unknown): never {
  throw thrown;
}
