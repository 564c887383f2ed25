/**
 * OpenTelemetry traces of runs and attempts, and metrics. It needs the npm package `@opentelemetry/api` and an SDK that
 * exports spans and metrics; without an SDK it does nothing.
 *
 * @example
 * ```ts ignore
 * import { createRunner } from "@sluice/sluice";
 * import { createTracing } from "@sluice/sluice/otel";
 *
 * await using runner = await createRunner("sqlite://./app.db", { workflows: [etl], tracing: createTracing() });
 * await runner.execute(etl, { url }); // the run's span is linked to the one that is active here
 * ```
 *
 * @module
 */
import type { Attributes, Span, SpanContext, Tracer } from "@opentelemetry/api";
import { toErrorRecord } from "../engine/errors/error_record.ts";
import type {
  AttemptTrace,
  RunLeave,
  RunTrace,
  TracedAttempt,
  TracedEnd,
  TracedRun,
  Tracing,
} from "../engine/telemetry/tracing.ts";
import { api } from "./api.ts";

export { type MetricsObserver, observeMetrics } from "./metrics.ts";
export type {
  AttemptTrace,
  RunLeave,
  RunTrace,
  TracedAttempt,
  TracedEnd,
  TracedRun,
  Tracing,
} from "../engine/telemetry/tracing.ts";

const { context, createTraceState, isSpanContextValid, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = api;

/**
 * Creates spans for a runner or client (its option `tracing`) with the OpenTelemetry SDK of the program.
 *
 * - `run <workflow>`, from the claim of a run until it has ended or is released: for a wait of more than some seconds,
 *   for a pause, or to another runner. The next claim creates another span with the same `sluice.run.id` and a higher
 *   `sluice.run.epoch`. The span is the root of a separate trace, as a run may outlive its caller by days. It is linked
 *   to the span that was active in the call of `start()`, `startMany()`, `execute()` or `fork()`, whichever process
 *   executes the run: the trace context is stored with the run.
 * - `task <id>`, its child, for each attempt. It is active while the task's `when` and body run, so that spans which
 *   they or their clients create become its children; this needs a context manager, which SDKs include. Thrown errors
 *   are recorded. A deferred attempt, or one that was aborted with its run, is not an error; `sluice.task.outcome`
 *   states the outcome.
 *
 * Attributes: `sluice.workflow`, `sluice.workflow.version`, `sluice.run.id`, `sluice.run.epoch`, `sluice.run.state`,
 * `sluice.run.reason`; `sluice.task.id`, `sluice.task.kind`, `sluice.task.attempt`, `sluice.task.outcome`;
 * `error.type`. Inputs and outputs are never recorded.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, workflow } from "@sluice/sluice";
 * import { createTracing } from "@sluice/sluice/otel";
 *
 * const greet = workflow("greet").task("hello", { run: () => "hello" }).returns("hello");
 * await using runner = await createRunner("sqlite::memory:", { workflows: [greet], tracing: createTracing() });
 * assertEquals((await runner.execute(greet)).status, "completed");
 * ```
 */
export function createTracing(): Tracing {
  return {
    currentContext() {
      const active = trace.getSpanContext(context.active());
      return active === undefined || !isSpanContextValid(active) ? undefined : toText(active);
    },
    // The global one, asked for anew, as it may be set later than this is called.
    startRun: (run) => followRun(trace.getTracer("@sluice/sluice"), run),
  };
}

function followRun(tracer: Tracer, { runId, workflow, version, epoch, trace: origin }: TracedRun): RunTrace {
  const caller = origin === undefined ? undefined : fromText(origin);
  const identity: Attributes = { "sluice.workflow": workflow, "sluice.run.id": runId };
  const span = tracer.startSpan(`run ${workflow}`, {
    kind: SpanKind.CONSUMER,
    root: true,
    links: caller === undefined ? [] : [{ context: caller }],
    attributes: { ...identity, "sluice.workflow.version": version, "sluice.run.epoch": epoch },
  }, ROOT_CONTEXT);
  return {
    startAttempt: (begun) => followAttempt(tracer, span, begun, identity),
    end(leave) {
      endRun(span, leave);
      span.end();
    },
  };
}

function endRun(span: Span, leave: RunLeave): void {
  span.setAttribute("sluice.run.state", leave.state);
  switch (leave.state) {
    case "failed":
    case "lost":
      return fail(span, leave.error.name, leave.error.message);
    case "cancelled":
      if (leave.reason !== undefined) span.setAttribute("sluice.run.reason", leave.reason);
      return;
    case "completed":
    case "waiting":
    case "pending":
      return;
  }
}

function followAttempt(
  tracer: Tracer,
  run: Span,
  { taskId, kind, attempt, isUndo = false }: TracedAttempt,
  identity: Attributes,
): AttemptTrace {
  // Not in the active context, which belongs to the caller that caused the engine's current turn.
  const parent = trace.setSpan(ROOT_CONTEXT, run);
  const span = tracer.startSpan(`${isUndo ? "undo" : "task"} ${taskId}`, {
    kind: SpanKind.INTERNAL,
    attributes: {
      ...identity,
      "sluice.task.id": taskId,
      "sluice.task.kind": kind,
      "sluice.task.attempt": attempt,
      ...(isUndo ? { "sluice.task.undo": true } : {}),
    },
  }, parent);
  const within = trace.setSpan(ROOT_CONTEXT, span);
  return {
    run: (call) => context.with(within, call),
    end(end) {
      endAttempt(span, end);
      span.end();
    },
  };
}

function endAttempt(span: Span, end: TracedEnd): void {
  switch (end.kind) {
    case "failed":
      return endThrown(span, end.thrown);
    case "aborted":
      if (end.reason instanceof Error) span.setAttribute("error.type", end.reason.name);
      break;
    case "completed":
    case "skipped":
      break;
  }
  span.setAttribute("sluice.task.outcome", end.kind);
}

function endThrown(span: Span, thrown: unknown): void {
  const isDeferred = thrown instanceof Error && (thrown as { readonly code?: unknown }).code === "deferred";
  span.setAttribute("sluice.task.outcome", isDeferred ? "deferred" : "failed");
  if (isDeferred) return;
  const { name, message, stack } = toErrorRecord(thrown);
  span.recordException({ name, message, ...(stack === undefined ? {} : { stack }) });
  fail(span, name, message);
}

function fail(span: Span, type: string, message: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** A place in a trace as W3C's Trace Context writes it: the `traceparent`, and the `tracestate` after a blank. */
function toText({ traceId, spanId, traceFlags, traceState }: SpanContext): string {
  const state = traceState?.serialize() ?? "";
  const parent = `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, "0")}`;
  return state === "" ? parent : `${parent} ${state}`;
}

const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?: (.*))?$/;

/** What `toText` wrote; `undefined` for what it did not. */
function fromText(text: string): SpanContext | undefined {
  const [, traceId = "", spanId = "", flags = "", state] = TRACE_PARENT.exec(text) ?? [];
  const place: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(state === undefined ? {} : { traceState: createTraceState(state) }),
  };
  return isSpanContextValid(place) ? place : undefined;
}
