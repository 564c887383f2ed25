import type { Attributes, BatchObservableCallback, Observable } from "@opentelemetry/api";
import { contextFor } from "../engine/client/client_context.ts";
import { type Labels, type MetricFamily, readFamilies } from "../engine/telemetry/metric_families.ts";
import type { MetricsTarget } from "../engine/telemetry/metrics_text.ts";
import { silent } from "../logger.ts";
import { api } from "./api.ts";

/** Metrics that are being observed. */
export interface MetricsObserver extends Disposable {
  /** Ends the observation. */
  stop(): void;
}

/**
 * Lets the metrics SDK that the program has set up observe a runner, a client or an open store: whenever the SDK collects,
 * the numbers of `metricsText()` are read. The names and labels are the same, without `_total`: `sluice_runs{state}` and
 * the like as gauges, `sluice_task_attempts{workflow, task}` and the like as counters. Of a histogram its `_count` and
 * `_sum` are counters, without buckets. A read that fails reports nothing to that collection.
 *
 * End the observation before the runner, client or store is closed.
 *
 * @throws {TypeError} If the target is not a runner, a client or an open store.
 * @throws {StoreError} If the store cannot be read.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, workflow } from "@sluice/sluice";
 * import { observeMetrics } from "@sluice/sluice/otel";
 *
 * const greet = workflow("greet").task("hello", { run: () => "hello" });
 * await using runner = await createRunner("sqlite::memory:", { workflows: [greet] });
 * using _metrics = await observeMetrics(runner);
 * assertEquals((await runner.execute(greet)).status, "completed");
 * ```
 */
export async function observeMetrics(target: MetricsTarget): Promise<MetricsObserver> {
  const context = contextFor(target, { logger: silent, action: "Cannot observe metrics" });
  const meter = api.metrics.getMeter("@sluice/sluice");
  // All names are known from the first reading on, and an SDK must know them before it collects.
  const instruments = new Map<string, Observable<Attributes>>();
  for (const { name, isMonotonic, help } of (await readFamilies(context)).flatMap(instrumentsOf)) {
    const options = { description: help };
    const instrument = isMonotonic
      ? meter.createObservableCounter(name, options)
      : meter.createObservableGauge(name, options);
    instruments.set(name, instrument);
  }
  const observables = [...instruments.values()];
  const observe: BatchObservableCallback = async (result) => {
    for (const { name, samples } of (await readFamilies(context)).flatMap(instrumentsOf)) {
      const instrument = instruments.get(name);
      if (instrument === undefined) continue;
      for (const { value, labels } of samples) result.observe(instrument, value, labels);
    }
  };
  meter.addBatchObservableCallback(observe, observables);
  const stop = (): void => meter.removeBatchObservableCallback(observe, observables);
  return { stop, [Symbol.dispose]: stop };
}

interface Instrument {
  readonly name: string;
  readonly help: string;
  readonly isMonotonic: boolean;
  readonly samples: readonly { readonly value: number; readonly labels: Attributes }[];
}

function instrumentsOf({ name, type, help, samples }: MetricFamily): readonly Instrument[] {
  if (type !== "histogram") return [instrumentOf(name, { help, isMonotonic: type === "counter", samples })];
  return ["_count", "_sum"].map((suffix) =>
    instrumentOf(`${name}${suffix}`, {
      help,
      isMonotonic: true,
      samples: samples.filter((one) => one.suffix === suffix),
    })
  );
}

function instrumentOf(
  name: string,
  { samples, ...more }: Pick<Instrument, "help" | "isMonotonic"> & Pick<MetricFamily, "samples">,
): Instrument {
  return {
    name: name.replace(/_total$/, ""),
    ...more,
    samples: samples.map(({ value, labels = {} }) => ({ value, labels: attributesOf(labels) })),
  };
}

function attributesOf(labels: Labels): Attributes {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, value ?? ""]));
}
