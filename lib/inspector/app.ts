import { Hono } from "hono";
import type { Logger } from "../logger.ts";
import { type Authorize, isForeign, mayRead } from "./access.ts";
import { guarded, jsonAnswer, problemAnswer, streamAnswer } from "./answers.ts";
import { createLive } from "./live.ts";
import { loadInput, loadOutput, loadStep } from "./load_payload.ts";
import { type Asked, type Reading, Refusal } from "./reading.ts";
import { ROUTES } from "./routes.ts";

/** What an app needs besides what it reads. */
export interface AppOptions {
  /** Decides who may read. */
  readonly authorize: Authorize | undefined;
  /** What stands before every path. */
  readonly basePath: string;
  /** Hears of what could not be answered. */
  readonly logger: Logger;
}

/** Answers a request; `connection` is what the server tells along with it. */
export type Fetch = (request: Request, connection?: unknown) => Promise<Response>;

const PAYLOADS = [
  { path: "/api/runs/:id/input", load: loadInput },
  { path: "/api/runs/:id/tasks/:task/output", load: loadOutput },
  { path: "/api/runs/:id/tasks/:task/steps/:name", load: loadStep },
];

/** The routes of the inspector, behind what decides who may read. */
export function createApp(reading: Reading, options: AppOptions): Fetch {
  const { authorize, logger, basePath } = options;
  const { store } = reading.desk;
  const live = createLive(store, logger);
  // Who asks the same at the same time gets the same answer: a change makes every browser ask at once.
  const underWay = new Map<string, Promise<string>>();
  // Paths are matched as they came, so that each part is decoded once. An app that mounts this one may have taken the
  // base path away.
  const app = new Hono({ getPath: ({ url }) => pathWithin(basePath, new URL(url).pathname) });

  for (const { path, load } of ROUTES) {
    app.get(`/api${path}`, async ({ req }) => {
      const asked = askedBy(req.url, req.param());
      return jsonAnswer(await shared(req.url, async () => JSON.stringify(await load(reading, asked))));
    });
  }
  for (const { path, load } of PAYLOADS) {
    app.get(path, async ({ req }) => streamAnswer(await load(reading, askedBy(req.url, req.param()))));
  }
  app.get("/api/live", ({ req }) => liveAnswer(req.raw));
  app.get("/healthz", async () => {
    await store.runners();
    return jsonAnswer('{"status":"ok"}');
  });
  app.notFound(() => problemAnswer({ status: 404, message: "There is nothing here" }));
  app.onError((error) => {
    if (error instanceof Refusal) return problemAnswer({ status: error.status, message: error.message });
    logger.error("The inspector could not answer", { error: String(error) });
    return problemAnswer({ status: 500, message: "The store could not be read; the logger was told why" });
  });
  return async (request, connection) => guarded(await answer(request, connection));

  async function answer(request: Request, connection: unknown): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      const refused = problemAnswer({ status: 405, message: "The inspector only reads: GET and HEAD" });
      refused.headers.set("allow", "GET, HEAD");
      return refused;
    }
    if (isForeign(request)) return problemAnswer({ status: 403, message: "Another site may not read this" });
    try {
      const verdict = await mayRead(request, connection, authorize);
      if (verdict.kind === "answered") return verdict.response;
      if (verdict.kind === "refused") return problemAnswer({ status: 403, message: verdict.message });
    } catch (error) {
      logger.error("authorize threw", { error: String(error) });
      return problemAnswer({ status: 500, message: "It could not be decided whether you may read this" });
    }
    return await app.fetch(request);
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
    if (stream === undefined) return problemAnswer({ status: 503, message: "Too many pages are watching" });
    return new Response(stream, { headers });
  }
}

function askedBy(url: string, params: Readonly<Record<string, string>>): Asked {
  return { params, query: new URL(url).searchParams };
}

/** A path without what stands before every path. */
function pathWithin(basePath: string, path: string): string {
  if (path === basePath) return "/";
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path;
}
