import { silent } from "../../logger.ts";
import type { Store } from "../../store/port/store.ts";
import type { Client } from "../client/client.ts";
import { type ClientContext, contextFor } from "../client/client_context.ts";
import { type Labels, type MetricFamily, readFamilies } from "./metric_families.ts";

/** Content type of the text. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What has metrics: a runner, a client, or a store that is open. */
export type MetricsTarget = Pick<Client<never>, "explain" | "stats"> | Store;

/**
 * Returns metrics in the text format of Prometheus, to be served as `text/plain; version=0.0.4`: the counts of a store and,
 * of a runner, what it has counted since it was opened. Needs no package. Costs seven reads, each of bounded work.
 *
 * @throws {TypeError} If the target is not a runner, a client or an open store.
 * @throws {StoreError} If the store cannot be read.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { createRunner, metricsText, workflow } from "@sluice/sluice";
 *
 * const greet = workflow("greet").task("hello", { run: () => "hello" });
 * await using runner = await createRunner("sqlite::memory:", { workflows: [greet] });
 * await runner.execute(greet);
 *
 * assertStringIncludes(await metricsText(runner), 'sluice_runs{state="completed"} 1');
 * ```
 */
export async function metricsText(target: MetricsTarget): Promise<string> {
  return await renderMetrics(contextFor(target, { logger: silent, action: "Cannot read metrics" }));
}

/** Returns the text of the metrics of a context. */
export async function renderMetrics(context: ClientContext): Promise<string> {
  return (await readFamilies(context)).map(familyText).join("");
}

/** Nothing for a family without samples, such as that of schedules where there are none. */
function familyText({ name, type, help, samples }: MetricFamily): string {
  if (samples.length === 0) return "";
  const lines = samples.map(({ labels = {}, value, suffix = "" }) =>
    `${name}${suffix}${labelsText(labels)} ${value}\n`
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** A label without a value is empty. */
function labelsText(labels: Labels): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value ?? ""))}"`);
  return texts.length === 0 ? "" : `{${texts.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
