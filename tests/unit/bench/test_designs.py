"""All designs do the same work: the naive one writes the same records as ours."""

import json
from typing import Any

import pytest
from fastavro import parse_schema, validate

from bridge.bench.frames import position, snapshot, update
from bridge.bench.naive import book
from bridge.bench.naive import position as naive_position
from bridge.bench.path import merged
from bridge.bench.worker import DESIGNS
from bridge.core.model import Binding, Plan, Subscription
from bridge.edge.schemas import bundled


def schema(name: str) -> Any:
    return parse_schema(json.loads(bundled()[name]), named_schemas={})


@pytest.mark.parametrize("frame", [snapshot("F", 1), update(1, 5)])
def test_a_naive_book_record_fits_our_schema(frame: bytes) -> None:
    """Every level of the frame is in the record, under our schema's names."""
    _, name, action, data = json.loads(frame)
    record = book(name, action, data) | {"sequence": 0}
    assert validate(record, schema("finery.Book"), strict=True)
    assert [level["priceE8"] for level in record["bids"]] == [x[-2] for x in data[0]]


def test_a_naive_position_record_fits_our_schema() -> None:
    """A changed position is a MODIFY with all its fields."""
    record = naive_position(json.loads(position(3))[3], "M") | {"sequence": 0}
    assert validate(record, schema("finery.Position"), strict=True)
    assert record["action"] == "MODIFY"


def test_merged_plans_keep_every_binding_on_its_own_subscriptions() -> None:
    """Channels of the second plan move behind the subscriptions of the first."""

    def plan(*names: str) -> Plan:
        subscriptions = tuple(
            Subscription(source="s", name=n, stream=n, key=n, partition_key=n)
            for n in names
        )
        bindings = (Binding(name=names[0], request={}, channels=(0,)),)
        return Plan(
            source="s",
            venue="v",
            name="p",
            subscriptions=subscriptions,
            bindings=bindings,
        )

    one = merged([plan("books", "status"), plan("positions", "status-2")])
    assert [one.subscriptions[b.channels[0]].name for b in one.bindings] == [
        "books",
        "positions",
    ]


def test_the_designs_that_are_compared_are_there() -> None:
    """Naive, floor, and ours over either transport."""
    assert set(DESIGNS) == {"naive", "floor", "feedbridge", "feedbridge-websockets"}
