/** Who may read, and the headers of every response. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Hono } from "hono";
import { request as httpRequest } from "node:http";
import { createApp } from "../../lib/inspector/app.ts";
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

test("every method but GET and HEAD is refused on every path, for every client", async () => {
  await using on = ground("sqlite");
  const asked = ask(await on.open());
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
    for (const path of ["/", "/runs", "/limits", "/api/runs", "/api/limits", "/api/live", "/metrics", "/nothing"]) {
      const answer = await asked(path, { method });
      assertEquals([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"]);
    }
  }
});

test("HEAD answers as GET does, without a body", async () => {
  await using on = ground("sqlite");
  const asked = ask(await on.open());
  for (const path of ["/runs", "/limits", "/api/runs", "/api/limits", "/api/live", "/healthz"]) {
    const answer = await asked(path, { method: "HEAD" });
    assertEquals([answer.status, await answer.text()], [200, ""]);
  }
});

test("without authorize only this machine may read: by its address, its name, and without a proxy", async () => {
  await using on = ground("sqlite");
  const { fetch } = createInspector(await on.open());
  const status = async (url: string, connection?: unknown, headers: HeadersInit = {}): Promise<number> =>
    (await fetch(new Request(url, { headers }), connection)).status;
  const from = (hostname: string): unknown => ({ remoteAddr: { transport: "tcp", hostname, port: 5 } });
  const here = "http://localhost/api/runs";
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
    assertEquals(await status(here, from(address)), 200, address);
  }
  for (const address of ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "1.127.0.0", "127.0.0.1.evil", ""]) {
    assertEquals(await status(here, from(address)), 403, address);
  }
  for (const nobody of [undefined, null, {}, "127.0.0.1", { remoteAddr: "127.0.0.1" }, { requestIP: () => null }]) {
    assertEquals(await status(here, nobody), 403);
  }
  for (const host of ["localhost:8000", "app.localhost", "127.0.0.1:1", "[::1]:80", "LOCALHOST"]) {
    assertEquals(await status(`http://${host}/api/runs`, LOCAL), 200, host);
  }
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[fe80::1]"]) {
    assertEquals(await status(`http://${host}/api/runs`, LOCAL), 403, host);
    assertEquals(await status(here, LOCAL, { host }), 403, host);
  }
  for (const proxy of ["forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host"]) {
    assertEquals(await status(here, LOCAL, { [proxy]: "127.0.0.1" }), 403, proxy);
  }
});

test("a server of this runtime passes the client's address, and refuses a foreign Host, too", async () => {
  await using on = ground("sqlite");
  await using server = await serve(createInspector(await on.open()).fetch);
  assertEquals(await statusFor(server.port, "/api/runs", `127.0.0.1:${server.port}`), 200);
  assertEquals(await statusFor(server.port, "/api/runs", "localhost"), 200);
  assertEquals(await statusFor(server.port, "/api/runs", "evil.example"), 403);
  // Some servers believe a whole URL in the first line rather than the Host.
  assertEquals(await statusFor(server.port, "http://localhost/api/runs", "evil.example"), 403);
});

test("it can be mounted in an app of Hono, with and without authorize", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const app = new Hono();
  app.mount("/ops", createInspector(store, { basePath: "/ops" }).fetch, { replaceRequest: false });
  app.mount("/open", createInspector(store, { basePath: "/open", authorize: () => true }).fetch);
  app.all("/by-hand/*", ({ req, env }) => createInspector(store, { basePath: "/by-hand" }).fetch(req.raw, env));
  app.mount("/plain", createInspector(store, { basePath: "/plain" }).fetch);
  await using server = await serve((request, connection) => app.fetch(request, connection as object));
  for (const path of ["/ops", "/open", "/by-hand"]) {
    for (const page of ["/runs", "/api/runs"]) {
      assertEquals(await statusFor(server.port, `${path}${page}`, "localhost"), 200);
    }
    const { firstHref } = await (await fetch(`${server.url}${path}/api/runs`)).json();
    assertEquals(firstHref, `${path}/runs`);
    assert(await statusFor(server.port, `${path}/api/runs`, "evil.example") === (path === "/open" ? 200 : 403));
  }
  // Bun does not know a request that Hono has created: then no client may read, and the response says what to do.
  const plain = await fetch(`${server.url}/plain/api/runs`);
  assertEquals(plain.status, "Bun" in globalThis ? 403 : 200);
  if (plain.status === 403) assertStringIncludes((await plain.json()).message, "replaceRequest: false");
  else await plain.body?.cancel();
});

test("authorize decides each request, and only true is a yes", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const answers: [unknown, number][] = [
    [true, 200],
    [Promise.resolve(true), 200],
    [false, 403],
    [Promise.resolve(false), 403],
    [undefined, 403],
    [1, 403],
    ["yes", 403],
    [{}, 403],
    [new Response("who are you?", { status: 401, headers: { "www-authenticate": "Basic" } }), 401],
  ];
  for (const [answer, status] of answers) {
    const { fetch } = createInspector(store, {
      authorize: (() => answer) as NonNullable<InspectorOptions["authorize"]>,
    });
    const got = await fetch(new Request("http://evil.example/api/runs"));
    assertEquals(got.status, status);
    if (status === 401) {
      assertEquals([got.headers.get("www-authenticate"), await got.text()], ["Basic", "who are you?"]);
    }
    assertEquals(got.headers.get("x-content-type-options"), "nosniff");
    for (const path of ["/limits", "/api/limits"]) {
      const other = await fetch(new Request(`http://evil.example${path}`));
      assertEquals([other.status, (await other.text()).includes("Limits")], [
        status,
        status === 200 && path === "/limits",
      ]);
    }
  }
});

test("an authorize that throws refuses the request without details", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const told: string[] = [];
  const logger: Logger = { ...silent, error: (message, fields) => void told.push(`${message} ${fields?.["error"]}`) };
  for (const authorize of [() => Promise.reject(new Error("hunter2")), () => fail("hunter2")]) {
    const answer = await ask(store, { authorize, logger })("/api/runs");
    assertEquals([answer.status, (await answer.text()).includes("hunter2")], [500, false]);
  }
  assertEquals(told.map((line) => line.includes("hunter2")), [true, true]);
});

test("a store that cannot be read is a 500 without details", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  const broken: Store = {
    ...store,
    inspection: { ...store.inspection, tally: () => Promise.reject(new Error("select secret")) },
  };
  for (const path of ["/runs", "/api/runs"]) {
    const answer = await ask(broken)(path, { headers: { accept: "text/html" } });
    assertEquals([answer.status, (await answer.text()).includes("secret")], [500, false]);
  }
});

test("a store that does not respond is a 503 after a while, and is queried once", async () => {
  await using on = ground("sqlite");
  const store = await on.open();
  let asked = 0;
  const tally: Store["inspection"]["tally"] = () => (asked++, new Promise(() => {}));
  const stuck: Store = { ...store, runners: () => new Promise(() => {}), inspection: { ...store.inspection, tally } };
  const reading = {
    context: contextFor(stuck, { logger: silent, action: "" }),
    redactor: createRedactor([]),
    path: pathsBelow(""),
    actions: () => [],
  };
  const options = { authorize: () => true, basePath: "", title: "t", logger: silent };
  const { fetch } = createApp(reading, { ...options, patienceMs: 20 });
  const get = (path: string): Promise<Response> => fetch(new Request(`http://localhost${path}`));
  assertEquals((await get("/healthz")).status, 503);
  asked = 0;
  const answers = await Promise.all(Array.from({ length: 9 }, () => get("/api/runs")));
  assertEquals([answers.map(({ status }) => status), asked], [answers.map(() => 503), 1]);
  assertEquals((await get("/api/schedules")).status, 200);
});

test("another site may not read in a visitor's name, but may link here", async () => {
  await using on = ground("sqlite");
  const asked = ask(await on.open());
  const from = (site: string, mode: string): RequestInit => ({
    headers: { "sec-fetch-site": site, "sec-fetch-mode": mode },
  });
  assertEquals((await asked("/api/live", from("cross-site", "cors"))).status, 403);
  assertEquals((await asked("/api/runs", from("cross-site", "no-cors"))).status, 403);
  assertEquals((await asked("/runs", from("cross-site", "navigate"))).status, 200);
  assertEquals((await asked("/api/runs", from("same-origin", "cors"))).status, 200);
});

test("every answer says that nothing is to be kept, guessed, framed or loaded", async () => {
  await using on = ground("sqlite");
  const asked = ask(await on.open());
  const paths = ["/", "/runs", "/runs/none", "/api/runs", "/api/runs?state=x", "/healthz", "/api/live", "/none"];
  for (const [path, method] of [...paths.map((path) => [path, "GET"] as const), ["/runs", "POST"] as const]) {
    const answer = await asked(path, { method, headers: { accept: "text/html" } });
    const { headers } = answer;
    assertEquals([headers.get("cache-control"), headers.get("x-content-type-options")], ["no-store", "nosniff"], path);
    assertEquals([headers.get("referrer-policy"), headers.get("x-frame-options")], ["no-referrer", "DENY"], path);
    const policy = headers.get("content-security-policy") ?? "";
    assertStringIncludes(policy, "default-src 'none'");
    assertStringIncludes(policy, "frame-ancestors 'none'");
    assertEquals(/unsafe|\*|https?:/.test(policy), false, policy);
    assertEquals(headers.get("access-control-allow-origin"), null);
    await answer.body?.cancel();
  }
});

test("ids that mean harm are ids that are not there", async () => {
  await using on = ground("sqlite");
  const asked = ask(await on.open());
  const ids = [
    "%00",
    "..%2f..%2fetc",
    "'%20or%201=1--",
    "%F0%9F%92%A9",
    "%E0%A4%A",
    "<script>",
    "%25",
    "a".repeat(9_999),
  ];
  for (const id of ids) {
    for (
      const path of [`/runs/${id}`, `/workflows/${id}`, `/api/runs/${id}/tasks/${id}/output`, `/api/runs/${id}/input`]
    ) {
      const answer = await asked(path, { headers: { accept: "text/html" } });
      assertEquals(answer.status, 404, path);
      assertEquals((await answer.text()).includes("<script>alert"), false);
    }
  }
  for (const query of ["limit=0", "limit=1e9", "cursor=x", "since=never", "state=%00", "limit=501", "cursor=-1"]) {
    assertEquals((await asked(`/api/runs?${query}`)).status, 400, query);
  }
  for (
    const query of ["tag=%00", "workflow=%00", "q=%00", "q=%25", "q='", "tag=%ED%A0%80", "cursor=9007199254740991"]
  ) {
    assertEquals((await asked(`/api/runs?${query}`)).status, 200, query);
  }
});

/** The status of an answer to a request with this very first line and Host, which `fetch()` lets nobody set. */
function statusFor(port: number, path: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path, headers: { host }, agent: false }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
    });
    sent.once("error", reject).end();
  });
}

function fail(message: string): never {
  throw new Error(message);
}
