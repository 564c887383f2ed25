import { systemClock } from "../clock.ts";
import { thrownMessage } from "../definition/thrown_message.ts";
import { METRICS_TYPE, renderMetrics } from "../engine/telemetry/metrics_text.ts";
import { harmless, type Logger } from "../logger.ts";
import { type Authorize, isForeign, mayRead, type Verdict, whyMalformed } from "./access.ts";
import { copyOf, guarded, jsonAnswer, pageAnswer, problemAnswer, streamAnswer, textAnswer } from "./answers.ts";
import { Hono } from "./hono.ts";
import { createLive } from "./live.ts";
import { loadInput, loadItemOutput, loadOutput, loadStep } from "./load_payload.ts";
import { contentSecurityPolicy } from "./pages/page.ts";
import { problemPage } from "./pages/problem_page.ts";
import { queryOf } from "./query.ts";
import { type Asked, type Reading, Refusal } from "./reading.ts";
import { type Route, ROUTES } from "./routes.ts";
import type { View } from "./shapes.ts";

/** Options of the app in addition to its data source. */
export interface AppOptions {
  /** Decides who may read. */
  readonly authorize: Authorize | undefined;
  /** What stands before every path. */
  readonly basePath: string;
  /** What it is called on its pages. */
  readonly title: string;
  /** Receives errors that caused a 5xx response. */
  readonly logger: Logger;
  /** How long a request waits for the store, which waits for its database for ever. */
  readonly patienceMs: number;
}

/** Handles a request; `connection` is what the server passes along with it, such as the client's address. */
export type Fetch = (request: Request, connection?: unknown) => Promise<Response>;

const PAYLOADS = [
  { path: "/api/runs/:id/input", load: loadInput },
  { path: "/api/runs/:id/tasks/:task/output", load: loadOutput },
  { path: "/api/runs/:id/tasks/:task/items/:item/output", load: loadItemOutput },
  { path: "/api/runs/:id/tasks/:task/steps/:name", load: loadStep },
];

/** The routes and the request handler. */
export interface App {
  /** Answers a request. */
  readonly fetch: Fetch;
}

/** Creates the routes of the inspector behind the access check. */
export function createApp(reading: Reading, options: AppOptions): App {
  const { authorize, basePath, title, patienceMs } = options;
  const logger = harmless(options.logger);
  const view: View = { title, basePath, liveHref: undefined, layouts: new Map() };
  const { store } = reading.context;
  const live = createLive(store, logger);
  // Identical concurrent requests share one response: after a change all browsers send the same request at once.
  const underWay = new Map<string, Promise<string>>();
  // Paths are matched before decoding, so that each part is decoded once. An app that mounts this one may have removed the
  // base path.
  const app = new Hono({ getPath: ({ url }) => pathWithin(basePath, new URL(url).pathname) });

  for (const route of ROUTES) {
    const { path, load } = route;
    app.get(`/api${path}`, async ({ req }) => {
      const asked = askedBy(req.url, req.param());
      return jsonAnswer(await shared(req.url, async () => JSON.stringify(await load(reading, asked))));
    });
    app.get(path, async ({ req }) => {
      const asked = askedBy(req.url, req.param());
      return pageAnswer(await shared(req.url, () => drawn(route, asked)), contentSecurityPolicy);
    });
  }
  app.get("/", () => new Response(null, { status: 302, headers: { location: reading.path("overview") } }));
  for (const { path, load } of PAYLOADS) {
    app.get(path, async ({ req }) => streamAnswer(await load(reading, askedBy(req.url, req.param()))));
  }
  app.get("/api/live", ({ req }) => liveAnswer(req.raw));
  app.get(
    "/metrics",
    async ({ req }) => textAnswer(await shared(req.url, () => renderMetrics(reading.context)), METRICS_TYPE),
  );
  app.get("/healthz", async () => {
    await store.runners();
    return jsonAnswer('{"status":"ok"}');
  });
  app.notFound(({ req }) => refused(req.raw, 404, "There is no page at this address"));
  app.onError((error, { req }) => {
    if (error instanceof Refusal) return refused(req.raw, error.status, error.message);
    return failed(req.raw, error);
  });
  return { fetch };

  /** Never rejects: the error page that a server such as Bun would then show contains source code and paths. */
  async function fetch(request: Request, connection?: unknown): Promise<Response> {
    const malformed = whyMalformed(request, connection);
    if (malformed !== undefined) return guarded(problemAnswer({ status: 400, message: malformed }));
    try {
      return guarded(await answer(request, connection));
    } catch (error) {
      return guarded(failed(request, error));
    }
  }

  async function answer(request: Request, connection: unknown): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      const answered = refused(request, 405, "The inspector is read-only: it accepts GET and HEAD");
      answered.headers.set("allow", "GET, HEAD");
      return answered;
    }
    if (isForeign(request)) return refused(request, 403, "Requests from pages of other sites are refused");
    let verdict: Verdict | undefined;
    try {
      verdict = await inTime(mayRead(request, connection, authorize), () => undefined);
    } catch (error) {
      report("Cannot authorize a request: authorize threw", error);
      return refused(request, 500, "Cannot authorize the request: authorize threw");
    }
    if (verdict === undefined) {
      report(`Cannot authorize a request: authorize did not settle within ${patienceMs} ms`);
      return refused(request, 503, "Cannot authorize the request: authorize did not settle");
    }
    if (verdict.kind === "answered") return copyOf(verdict.response);
    if (verdict.kind === "refused") return refused(request, 403, verdict.message);
    return await inTime(app.fetch(request), () => refused(request, 503, "The store did not respond in time"));
  }

  /** Returns the result of `work`, or of `late` once `patienceMs` have passed. */
  async function inTime<T>(work: T | Promise<T>, late: () => T): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const cancel = systemClock.after(patienceMs, () => resolve(late()));
    try {
      return await Promise.race([work, promise]);
    } finally {
      cancel();
    }
  }

  function failed(request: Request, error: unknown): Response {
    report("The inspector failed to handle a request", error);
    return refused(request, 500, "The request failed; the log has the error");
  }

  function report(message: string, error?: unknown): void {
    logger.error(message, error === undefined ? {} : { error: thrownMessage(error) });
  }

  async function drawn(route: Route, asked: Asked): Promise<string> {
    const run = route.runOf(asked);
    // Read before the page is rendered: a change in the meantime is then reported twice instead of missed.
    const seen = await live.mark(run);
    const { text } = await route.draw(reading, asked, (isLive) => ({
      ...view,
      liveHref: isLive
        ? `${reading.path("api", "live")}?${new URLSearchParams({ ...run && { run }, seen })}`
        : undefined,
    }));
    return text;
  }

  function refused(request: Request, status: number, message: string): Response {
    const path = pathWithin(basePath, new URL(request.url).pathname);
    const isPage = !path.startsWith("/api/") && (request.headers.get("accept") ?? "").includes("text/html");
    const problem = { status, message };
    return isPage ? pageAnswer(problemPage(problem, view).text, contentSecurityPolicy, status) : problemAnswer(problem);
  }

  function shared(key: string, make: () => Promise<string>): Promise<string> {
    const known = underWay.get(key);
    if (known !== undefined) return known;
    const made = make().finally(() => underWay.delete(key));
    underWay.set(key, made);
    return made;
  }

  function liveAnswer({ url, method }: Request): Response {
    const { query } = askedBy(url, {});
    const headers = { "content-type": "text/event-stream", "x-accel-buffering": "no" };
    if (method === "HEAD") return new Response(null, { headers });
    const stream = live.open(query.get("run") ?? undefined, query.get("seen") ?? undefined);
    if (stream === undefined) {
      return problemAnswer({ status: 503, message: "Too many live streams are open; reload later" });
    }
    return new Response(stream, { headers });
  }
}

function askedBy(url: string, params: Readonly<Record<string, string>>): Asked {
  return { params, query: queryOf(url) };
}

/** A path without the base path. */
function pathWithin(basePath: string, path: string): string {
  if (path === basePath) return "/";
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path;
}
