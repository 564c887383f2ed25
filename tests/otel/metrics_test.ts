/** What a metrics SDK observes of a runner. */
import {
  type BatchObservableCallback,
  type Meter,
  type MeterProvider,
  metrics,
  type Observable,
} from "@opentelemetry/api";
import { assertEquals, assertRejects } from "@std/assert";
import { observeMetrics } from "../../lib/otel/mod.ts";
import { workflow } from "../../mod.ts";
import { test } from "../harness.ts";
import { open } from "../meanings/open.ts";

const greet = workflow("greet").task("hello", { run: () => "hello" }).returns("hello");

/** A provider that collects on request, as an SDK does at intervals. */
function createCollector() {
  const names = new Map<Observable, string>();
  const callbacks = new Map<BatchObservableCallback, readonly Observable[]>();
  const create = (kind: string) => (name: string) => {
    const instrument = { addCallback() {}, removeCallback() {} };
    names.set(instrument, `${kind} ${name}`);
    return instrument;
  };
  const meter = {
    createObservableCounter: create("counter"),
    createObservableGauge: create("gauge"),
    addBatchObservableCallback: (callback: BatchObservableCallback, of: Observable[]) =>
      void callbacks.set(callback, of),
    removeBatchObservableCallback: (callback: BatchObservableCallback) => void callbacks.delete(callback),
  } as Partial<Meter> as Meter;
  const provider: MeterProvider = { getMeter: () => meter };
  return { provider, collect };

  async function collect(): Promise<ReadonlyMap<string, number>> {
    const numbers = new Map<string, number>();
    for (const [callback, known] of callbacks) {
      await callback({
        observe(instrument, value, labels) {
          // An SDK ignores others.
          if (!known.includes(instrument)) throw new Error(`${names.get(instrument)} was not registered`);
          numbers.set(`${names.get(instrument)} ${Object.values(labels ?? {}).join()}`.trim(), value);
        },
      });
    }
    return numbers;
  }
}

test("a metrics SDK observes what the store and the runner count, until the observation ends", async () => {
  const { provider, collect } = createCollector();
  metrics.setGlobalMeterProvider(provider);
  try {
    await using opened = await open([greet]);
    const { runner } = opened;
    const observer = await observeMetrics(runner);
    assertEquals((await collect()).get("gauge sluice_runs completed"), 0);
    await runner.execute(greet);
    const numbers = await collect();
    const expected = {
      "gauge sluice_runs completed": 1,
      "gauge sluice_runners alive": 1,
      "counter sluice_runs_ended greet,completed": 1,
      "counter sluice_tasks_completed greet,hello": 1,
      "counter sluice_task_duration_seconds_count greet,hello": 1,
    };
    assertEquals(Object.fromEntries(Object.keys(expected).map((name) => [name, numbers.get(name)])), expected);
    assertEquals([...numbers.keys()].filter((name) => name.includes("_bucket") || name.includes("_total")), []);
    observer.stop();
    assertEquals([...await collect()], []);
    await assertRejects(() => observeMetrics({} as typeof runner), TypeError, "Cannot observe metrics");
  } finally {
    metrics.disable();
  }
});
