"""Traces to an OpenTelemetry collector, by OTLP over HTTP.

Where to, how much and with which headers is said by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`,
`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES` and so on), which the SDK reads itself.
The packages are those of the extra `otel`; nothing of them is imported unless traces are asked for.
"""

import threading
from typing import TYPE_CHECKING, Any

from qg_telemetry.traces.work import Kind, Traces, Work

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

CLOSE_S = 3.0
WAITING_MAX = 4_096
"""Spans that wait to be sent; the SDK drops further ones."""

_NANO = 1_000_000_000


class TracesUnavailable(RuntimeError):
    """The packages of the extra `otel` are not installed."""


def otlp_traces(service: str, version: str) -> Traces:
    """Traces of one process. Raises `TracesUnavailable`."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TracesUnavailable(f"the extra `otel` is not installed ({error.name} is missing)") from None
    resource = Resource.create({"service.version": version})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):  # the environment names none
        resource = resource.merge(Resource({"service.name": f"querygateway-{service}"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=WAITING_MAX))
    return _OtlpTraces(provider)


class _OtlpTraces:
    """Spans are made after the work is over: a request waits for none of this."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation import set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("querygateway")
        self._propagator = TraceContextTextMapPropagator()
        self._within = set_span_in_context
        self._kinds = {kind: SpanKind[kind.value.upper()] for kind in Kind}
        self._failure = Status(StatusCode.ERROR)

    def record(self, work: Work, traceparent: bytes | None = None) -> str | None:
        context = None
        if traceparent is not None:
            context = self._propagator.extract({"traceparent": traceparent.decode("latin-1")})
        span = self._span(work, context)
        if not span.is_recording():
            return None
        within = self._within(span)
        for part in work.parts:
            self._span(part, within).end(int(part.ended * _NANO))
        span.end(int(work.ended * _NANO))
        return f"{span.get_span_context().trace_id:032x}"

    def close(self) -> None:
        # A collector that does not answer must not hold up the end of the process: the thread dies with it.
        closing = threading.Thread(target=self._provider.shutdown, name="traces-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def _span(self, work: Work, context: "Context | None") -> "Span":
        span: Span = self._tracer.start_span(
            work.name, context, self._kinds[work.kind], work.attributes, start_time=int(work.began * _NANO)
        )
        if work.failed:
            span.set_status(self._failure)
        return span
