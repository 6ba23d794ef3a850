"""What librdkafka says of itself every ten seconds, as far as we look at it.

Source of the fields: librdkafka 2.16, STATISTICS.md, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

US = 1_000_000


class Statistics(NamedTuple):
    """`requests_waiting` were not sent yet; `rtt_s` is the slowest broker's mean."""

    messages_sent: int = 0
    requests_waiting: int = 0
    brokers_up: int = 0
    rtt_s: float = 0.0


class _Window(msgspec.Struct):
    avg: int = 0


class _Broker(msgspec.Struct):
    state: str = ""
    nodeid: int = -1
    outbuf_cnt: int = 0
    rtt: _Window = msgspec.field(default_factory=_Window)


class _Told(msgspec.Struct):
    txmsgs: int = 0
    brokers: Mapping[str, _Broker] = {}


_decode = msgspec.json.Decoder(_Told).decode


def statistics_of(told: str) -> Statistics:
    """Read a report; raises msgspec.MsgspecError if it is none."""
    found = _decode(told)
    # Bootstrap addresses and the coordinator's stand-in are listed as brokers, too.
    brokers = [one for one in found.brokers.values() if one.nodeid >= 0]
    return Statistics(
        messages_sent=found.txmsgs,
        requests_waiting=sum(one.outbuf_cnt for one in brokers),
        brokers_up=sum(one.state == "UP" for one in brokers),
        rtt_s=max((one.rtt.avg for one in brokers), default=0) / US,
    )
