"""A property has one name before ours and the user's are laid over each other."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.app.orders import AT_ONCE, BUDGET
from bridge.client import link
from bridge.edge.kafka_options import Options, producer_options
from tests.support.running import Run

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


@pytest.mark.parametrize("name", ["message.timeout.ms", "delivery.timeout.ms"])
def test_a_clients_user_has_the_last_word_under_every_name(
    name: str, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """What the client would set by itself is only its default."""
    given: list[dict[str, Any]] = []

    def producer(options: dict[str, Any]) -> list[object]:
        given.append(options)
        return []

    async def main() -> None:
        monkeypatch.setattr("confluent_kafka.Producer", producer)
        await link.Sender({name: 3000}, 10.0).close()

    run(main())
    assert {k: v for k, v in given[0].items() if k in TIMEOUTS} == {
        "delivery.timeout.ms": "3000"
    }
