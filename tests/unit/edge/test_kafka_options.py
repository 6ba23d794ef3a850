"""A property has one name before ours and the user's are laid over each other."""

from __future__ import annotations

import pytest

from bridge.app.orders import AT_ONCE, BUDGET
from bridge.edge.kafka_options import Options, producer_options

TIMEOUTS = {"delivery.timeout.ms", "message.timeout.ms"}


@pytest.mark.parametrize(
    "options",
    [
        {"message.timeout.ms": "60000"},
        {"delivery.timeout.ms": "60000"},
        {"delivery.timeout.ms": "60000", "message.timeout.ms": "50000"},
        {"message.timeout.ms": "50000", "delivery.timeout.ms": "60000"},
    ],
)
def test_the_order_producers_timeout_holds_under_every_name(options: Options) -> None:
    """Of a property given under two names, librdkafka takes the last."""
    found = producer_options({**options, **AT_ONCE}, BUDGET)
    assert {k: v for k, v in found.items() if k in TIMEOUTS} == {
        "delivery.timeout.ms": "8000"
    }


@pytest.mark.parametrize(
    ("other", "name", "value"),
    [
        ("message.timeout.ms", "delivery.timeout.ms", "60000"),
        ("queue.buffering.max.ms", "linger.ms", "50"),
        ("compression.codec", "compression.type", "zstd"),
    ],
)
def test_another_name_of_a_default_of_ours_replaces_it(
    other: str, name: str, value: str
) -> None:
    """The user's word holds over ours, whichever name it uses."""
    found = producer_options({other: value}, BUDGET)
    assert found[name] == value
    assert other not in found
