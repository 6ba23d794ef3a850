"""What the connections of one worker share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from bridge.core.model import Now
from bridge.flow.lease import Lease
from bridge.flow.outlet import Ledger


class Kafka(Protocol):
    """What a connection watches at the end of each chunk."""

    @property
    def above_high(self) -> bool:
        """Tell whether the queue is above its high mark."""

    def poll(self) -> None:
        """Serve delivery reports."""


class Surroundings(NamedTuple):
    """What the connections of one worker share; `full` pauses them all."""

    kafka: Kafka
    ledger: Ledger
    log: Callable[..., None]
    full: Callable[[], None]
    now: Callable[[], Now]
    lease: Lease
