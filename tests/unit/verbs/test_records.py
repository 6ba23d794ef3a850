"""Records in a few words, and exact decimals."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.verbs.records import at_ms, fixed, words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "0.00000001"),
        (100_000_000, "1"),
        (-150_000_000, "-1.5"),
        (6_000_050_000_000, "60000.5"),
        (2**63 - 1, "92233720368.54775807"),
    ],
)
def test_integers_in_1e_8_are_written_exactly(value: int, text: str) -> None:
    """No float is between the integer and the text."""
    assert fixed(value) == text


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            {"boundary": {"state": "GAP", "reason": "KAFKA_SLOW", "lost": 3}},
            "GAP KAFKA_SLOW, 3 lost",
        ),
        (
            {"action": "SNAPSHOT", "instrument": "X", "bids": [], "asks": []},
            "X - / -",
        ),
        (
            {"action": "UPDATE", "instrument": "X", "bids": [1], "asks": [1, 2]},
            "X 1 bid and 2 ask changes",
        ),
        (
            {"data": {"currency": "BTC", "valueE8": -1, "id": 7, "network": ""}},
            "BTC value=-0.00000001 id=7",
        ),
        ({"data": None}, ""),
        (
            {
                "reqId": "r-1",
                "method": "add",
                "account": "desk",
                "notAfter": 2**62,
                "content": {"instrument": "X", "priceE8": 1},
            },
            (
                f"account=desk reqId=r-1 method=add notAfter={2**62} "
                'content={"instrument": "X", "priceE8": 1}'
            ),
        ),
        (
            {
                "account": "desk",
                "state": "HALTED",
                "haltCancels": False,
                "reason": "odd prices",
                "by": "me",
                "at": 1,
            },
            "account=desk state=HALTED haltCancels=False reason=odd prices by=me",
        ),
        (
            {
                "source": "desk",
                "subscription": "orders",
                "state": "WANTED",
                "options": '{"stale_after_s":5}',
                "reason": "",
            },
            'source=desk subscription=orders state=WANTED options={"stale_after_s":5}',
        ),
    ],
)
def test_a_record_in_a_few_words(record: dict[str, Any], text: str) -> None:
    """What a person wants to see in one line."""
    assert words(record) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1_700_000_000_001, "2023-11-14T22:13:20.001Z"), (2**63 - 1, str(2**63 - 1))],
)
def test_a_time_that_is_none_stays_a_number(value: int, text: str) -> None:
    """Anybody may have written it."""
    assert at_ms(value) == text
