import { newChecks } from "../definition/checks.ts";
import type { Client } from "../engine/client/client.ts";
import { contextFor } from "../engine/client/client_context.ts";
import { refuse } from "../engine/options.ts";
import { harmless, type Logger, silent } from "../logger.ts";
import type { Store } from "../store/port/store.ts";
import type { Authorize } from "./access.ts";
import { type Actions, safeActions } from "./actions.ts";
import { createApp, type Fetch } from "./app.ts";
import { pathsBelow } from "./reading.ts";
import { createRedactor } from "./redact.ts";

/** What an inspector reads from: a runner, a client or an open store. The inspector never closes it. */
export type Inspectable = Pick<Client<never>, "explain" | "stats"> | Store;

/** Options of {@linkcode createInspector}. */
export interface InspectorOptions {
  /**
   * Decides about each request: `true` serves it, a `Response` (such as one with status 401) is sent instead, anything
   * else refuses it with status 403.
   *
   * @default {undefined} serves loopback clients only, and refuses requests that came through a proxy
   */
  readonly authorize?: Authorize;
  /**
   * Fields of runs to hide, as paths through a run of the form `{ input, key, tags, reason, error, tasks: { [id]: { output,
   * error, reason, progress, steps } } }`: `"input.password"`, `"tasks.pay.output"`, `"tasks.*.output.rows.*.name"`,
   * `"**.token"`. `*` matches any name, `**` any number of names; a name in double quotes is matched literally
   * (`'tasks."pay.card".output'`). The output of an item of a map is `tasks.<id>.output.<index>`; its error is hidden
   * with that of its task. A hidden value is also hidden wherever it is repeated: the error of a task in the error of
   * its run, a message in its stack and in errors that quote it. Hidden keys and tags cannot be searched for. A path
   * that matches no field of a run is reported to the logger.
   */
  readonly redact?: readonly string[];
  /**
   * Returns links to tools of yours for a run, a task or a workflow, such as a form that retries it: the inspector itself
   * never writes. At most ten are shown. If it throws, or returns anything else, the logger receives an error and no
   * links are shown.
   *
   * @default {undefined} no links
   */
  readonly actions?: Actions;
  /** The path at which the inspector is mounted, such as `"/ops"`. @default {""} */
  readonly basePath?: string;
  /** The title of the pages. @default {"Sluice"} */
  readonly title?: string;
  /** Receives the errors behind responses with status 500 and 503. @default {undefined} that of the runner or client */
  readonly logger?: Logger;
}

const PATIENCE_MS = 15_000;

/** A request handler that serves pages, a JSON API and metrics; {@linkcode createInspector} returns it. */
export interface Inspector {
  /**
   * Handles a request; pass it to `Deno.serve`, `Bun.serve` or Hono's `app.mount`. The second argument is the one that
   * these servers pass; the inspector takes the client's address from it. Never rejects.
   */
  readonly fetch: Fetch;
}

/**
 * Creates an inspector of a runner, a client or a store. It serves GET and HEAD requests only, and never writes.
 *
 * - `Deno.serve(createInspector(runner).fetch)`
 * - `Bun.serve({ fetch: createInspector(runner).fetch })`
 * - `app.mount("/ops", createInspector(runner, { basePath: "/ops" }).fetch, { replaceRequest: false })` in an app of Hono
 *
 * @throws {TypeError} If an option or the target is invalid.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, workflow } from "@sluice/sluice";
 * import { createInspector } from "@sluice/sluice/inspector";
 *
 * const greet = workflow("greet").task("hello", { run: () => "hello" });
 * await using runner = await createRunner("sqlite::memory:", { workflows: [greet] });
 * await runner.execute(greet);
 *
 * const { fetch } = createInspector(runner, { authorize: (request) => request.headers.get("authorization") === "Bearer 1234" });
 * const request = new Request("http://localhost/api/runs", { headers: { authorization: "Bearer 1234" } });
 * const { runs } = await (await fetch(request)).json();
 * assertEquals([runs.length, runs[0].state], [1, "completed"]);
 * assertEquals((await fetch(new Request("http://localhost/api/runs"))).status, 403);
 * ```
 */
export function createInspector(target: Inspectable, options: InspectorOptions = {}): Inspector {
  const checks = newChecks();
  const read = checks.options(options, "the options", [
    "authorize",
    "redact",
    "actions",
    "basePath",
    "title",
    "logger",
  ]);
  const authorize = checks.fn<Authorize>(read["authorize"], "authorize");
  const redact = read["redact"] === undefined ? [] : checks.list(read["redact"], "redact", "paths");
  const actions = checks.fn<Actions>(read["actions"], "actions");
  const basePath = checks.text(read["basePath"], "basePath") ?? "";
  const title = checks.text(read["title"], "title") ?? "Sluice";
  if (!/^(\/[\w.~-]+)*$/.test(basePath)) {
    checks.report('basePath must be a path such as "/ops", without a trailing slash');
  }
  refuse("create an inspector", checks);
  const context = contextFor(target, { logger: options.logger ?? silent, action: "Cannot create an inspector" });
  const redactor = createRedactor(redact);
  const logger = harmless(options.logger ?? context.logger);
  for (const warning of redactor.warnings) logger.warn(warning);
  const reading = { context, redactor, path: pathsBelow(basePath), actions: safeActions(actions, logger) };
  const { fetch } = createApp(reading, { authorize, basePath, title, logger, patienceMs: PATIENCE_MS });
  return { fetch };
}
