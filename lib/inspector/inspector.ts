import { newChecks } from "../definition/checks.ts";
import type { Client } from "../engine/client.ts";
import { refuse } from "../engine/options.ts";
import { harmless, type Logger, silent } from "../logger.ts";
import type { Store } from "../store/port.ts";
import type { Authorize } from "./access.ts";
import { createApp, type Fetch } from "./app.ts";
import { contextFor, pathsBelow } from "./reading.ts";
import { createRedactor } from "./redact.ts";

/** What an inspector can be made of: a runner, a client, or a store that is open. It stays its owner's to close. */
export type Inspectable = Pick<Client<never>, "explain" | "stats"> | Store;

/** How an inspector is set up. */
export interface InspectorOptions {
  /**
   * Decides, for each request, whether it may read; a response, such as one with status 401, is what it gets instead.
   *
   * @default {undefined} only this machine may read, by a loopback address
   */
  readonly authorize?: Authorize;
  /**
   * Fields of runs to hide, as paths through a run of the form `{ input, key, tags, reason, error, tasks: { [id]: { output,
   * error, reason, progress, steps } } }`: `"input.password"`, `"tasks.pay.output"`, `"tasks.*.output.rows.*.name"`,
   * `"**.token"`. `*` is any name, `**` any number of names; a name in double quotes is taken as it stands
   * (`'tasks."pay.card".output'`). The output of an item of a map is `tasks.<id>.output.<index>`, its error that of its task.
   * A hidden value is also hidden where it appears again: the error of a task in that of
   * its run, a message in its stack and in errors that quote it; hidden keys and tags cannot be searched for. A path that
   * can hide nothing is reported to the logger.
   */
  readonly redact?: readonly string[];
  /** The path below which it is mounted, such as `"/ops"`. @default {""} */
  readonly basePath?: string;
  /** What it is called on its pages. @default {"Sluice"} */
  readonly title?: string;
  /** Hears of what could not be answered. @default {undefined} that of the runner or client */
  readonly logger?: Logger;
}

const PATIENCE_MS = 15_000;

/** An inspector. */
export interface Inspector {
  /**
   * Answers a request: what `Deno.serve`, `Bun.serve` and `app.mount` of Hono call. The second argument is what these
   * give along with the request; by it the inspector sees where that came from.
   */
  readonly fetch: Fetch;
}

/**
 * Makes an inspector of a runner, a client or a store. It answers GET and HEAD and nothing else, and never writes.
 *
 * - `Deno.serve(createInspector(runner).fetch)`
 * - `Bun.serve({ fetch: createInspector(runner).fetch })`
 * - `app.mount("/ops", createInspector(runner, { basePath: "/ops" }).fetch, { replaceRequest: false })` in an app of Hono
 *
 * @throws {TypeError} If an option is wrong.
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
  const read = checks.options(options, "the options", ["authorize", "redact", "basePath", "title", "logger"]);
  const authorize = checks.fn<Authorize>(read["authorize"], "authorize");
  const redact = read["redact"] === undefined ? [] : checks.list(read["redact"], "redact", "paths");
  const basePath = checks.text(read["basePath"], "basePath") ?? "";
  const title = checks.text(read["title"], "title") ?? "Sluice";
  if (!/^(\/[\w.~-]+)*$/.test(basePath)) {
    checks.report('basePath must be a path such as "/ops", without a slash at its end');
  }
  refuse("make an inspector", checks);
  const context = contextFor(target, options.logger ?? silent);
  const redactor = createRedactor(redact);
  const logger = harmless(options.logger ?? context.logger);
  for (const warning of redactor.warnings) logger.warn(warning);
  const reading = { context, redactor, path: pathsBelow(basePath) };
  const { fetch } = createApp(reading, { authorize, basePath, title, logger, patienceMs: PATIENCE_MS });
  return { fetch };
}
