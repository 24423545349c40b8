/**
 * OpenTelemetry: spans by whatever SDK the process has registered (`node --import ./otel.js …`), with W3C traceparent
 * taken from the request. Without an SDK nothing is made; the trace id of the request is still logged.
 */
import {
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Span,
  type TextMapGetter,
} from '@opentelemetry/api';

const tracer = trace.getTracer('espalier');

export interface InferSpan {
  model(name: string, version: string, rows: number): void;
  end(status: number | string, error?: unknown): void;
}

/** Starts a server span as a child of what the carrier tells; undefined where no SDK records. */
export function startSpan<T>(
  name: string,
  carrier: T,
  getter: TextMapGetter<T>,
  attributes: Record<string, string>,
): InferSpan | undefined {
  // No propagator means no SDK: nothing would come of a span.
  if (propagation.fields().length === 0) return undefined;
  const parent = propagation.extract(context.active(), carrier, getter);
  const span: Span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
  if (!span.isRecording()) {
    span.end();
    return undefined;
  }
  return {
    model(model, version, rows) {
      span.setAttributes({
        'espalier.model': model,
        'espalier.model.version': version,
        'espalier.rows': rows,
      });
    },
    end(status, error) {
      span.setAttribute('espalier.status', status);
      if (error !== undefined) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : '' });
      }
      span.end();
    },
  };
}

export const headerGetter: TextMapGetter<Record<string, string | string[] | undefined>> = {
  keys: (carrier) => Object.keys(carrier),
  get: (carrier, key) => carrier[key.toLowerCase()],
};

/** The trace id of a W3C traceparent header. https://www.w3.org/TR/trace-context/ */
export function traceId(traceparent: string | string[] | undefined): string | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const id = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent)?.[1];
  return id === undefined || /^0+$/.test(id) ? undefined : id;
}
