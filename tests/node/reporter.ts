/**
 * Prints the results of `node --test` in the format of `deno test --parallel`, which tests/suite/stage_output.ts reads:
 * Node's own reporters name no files.
 *
 * @module
 */
import { relative } from "node:path";
import process from "node:process";
import { inspect } from "node:util";

interface Event {
  readonly type: string;
  readonly data: {
    readonly name: string;
    readonly nesting: number;
    readonly file?: string;
    readonly line?: number;
    readonly column?: number;
    readonly skip?: string | boolean;
    readonly message?: string;
    readonly details?: { readonly error?: Error; readonly duration_ms?: number };
  };
}

/** Formats the events of a test run. */
export default async function* report(events: AsyncIterable<Event>): AsyncGenerator<string> {
  const counts = { passed: 0, failed: 0, ignored: 0 };
  const failures: string[] = [];
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") yield data.message ?? "";
    if (type !== "test:pass" && type !== "test:fail" || data.nesting > 0) continue;
    const { file = "", name, details, line = 1, column = 1 } = data;
    const path = relative(process.cwd(), file);
    // The failure of a file outside of its tests has the path for a name; that of one of its tests was reported before.
    const isFile = name === file || name === path;
    const isSkipped = data.skip !== undefined && data.skip !== false;
    if (type === "test:pass") {
      if (isFile) continue;
      counts[isSkipped ? "ignored" : "passed"]++;
      yield `${path} => ${name} ... ${isSkipped ? "ignored" : "ok"} (${details?.duration_ms ?? 0}ms)\n`;
      continue;
    }
    counts.failed++;
    const cause = details?.error?.cause ?? details?.error;
    failures.push(
      `${isFile ? `${path} (uncaught error)` : `${name} => ${path}:${line}:${column}`}\n${
        cause instanceof Error ? cause.stack : inspect(cause)
      }\n`,
    );
    yield isFile ? `Uncaught error from ${path} FAILED\n` : `${path} => ${name} ... FAILED\n`;
  }
  if (failures.length > 0) yield `\n ERRORS \n\n${failures.join("\n")}\n FAILURES \n\n`;
  const { passed, failed, ignored } = counts;
  yield `${failed > 0 ? "FAILED" : "ok"} | ${passed} passed | ${failed} failed | ${ignored} ignored\n`;
}
