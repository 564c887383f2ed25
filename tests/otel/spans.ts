/** An SDK for tests of traces, that keeps in memory which spans have ended. */
import { context, type Span, trace, type Tracer } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { type ReadableSpan, type SpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

let keep: ReadableSpan[] = [];

// Not the SDK's own exporter to memory, which lets a timer run on after each span.
const keeper: SpanProcessor = {
  onStart() {},
  onEnd: (span) => void keep.push(span),
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

// The process has one of each.
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [keeper] }));

/** Spans that have ended. */
export interface Spans {
  /** Makes spans as a user does. */
  readonly tracer: Tracer;
  /** Those that have ended, in the order of their ends. */
  ended(): readonly ReadableSpan[];
  /** The only one of that name. */
  named(name: string): ReadableSpan;
  /** Calls `work` within a span of that name, which is ended. */
  within<T>(name: string, work: (span: Span) => T): T;
}

/** Keeps the spans that end from now on. */
export function keepSpans(): Spans {
  const ended: ReadableSpan[] = [];
  keep = ended;
  const tracer = trace.getTracer("test");
  return {
    tracer,
    ended: () => ended,
    named(name) {
      const spans = ended.filter((span) => span.name === name);
      if (spans.length !== 1) throw new Error(`there are ${spans.length} spans "${name}"`);
      return spans[0]!;
    },
    within: (name, work) =>
      tracer.startActiveSpan(name, (span) => {
        try {
          return work(span);
        } finally {
          span.end();
        }
      }),
  };
}

/** The id of a span's parent. */
export function parentOf(span: ReadableSpan): string | undefined {
  return span.parentSpanContext?.spanId;
}

/** The spans that a span is linked to, as `<trace> <span>`. */
export function linksOf(span: ReadableSpan): readonly string[] {
  return span.links.map(({ context }) => `${context.traceId} ${context.spanId}`);
}

/** Where a span is, as `<trace> <span>`. */
export function placeOf(span: Pick<Span, "spanContext">): string {
  const { traceId, spanId } = span.spanContext();
  return `${traceId} ${spanId}`;
}

/** The span that is active here. */
export function active(): Span | undefined {
  return trace.getActiveSpan();
}
