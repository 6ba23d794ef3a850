"""Opens OpenTelemetry, which is an extra: nothing of it is imported before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.edge.otel import Tracer

NO_OTEL = (
    "worker.trace_commands: OpenTelemetry is not installed"
    " (pip install 'feedbridge[otel]'); install it, or turn the setting off"
)
BAD_OTEL = (
    "worker.trace_commands: OpenTelemetry refuses one of its variables, OTEL_*;"
    " correct or unset it"
)


def open_tracer(worker: str) -> Tracer:
    """Start what makes and exports spans; `OTEL_*` variables say where to and how.

    Raises:
        ConfigError: the extra is not installed, or a variable is not valid.
    """
    try:
        from bridge.edge.otel import exporting  # noqa: PLC0415 - memory, start-up time
    except ImportError as error:
        raise ConfigError([NO_OTEL]) from error
    try:
        return exporting(worker)
    except ValueError as error:
        raise ConfigError([f"{BAD_OTEL} ({error})"]) from error
