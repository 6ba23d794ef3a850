"""Connection ids are UUIDv7 and sort by time."""

from __future__ import annotations

from uuid import UUID

from bridge.core.identity import uuid7


def test_the_layout_is_that_of_the_standard() -> None:
    """The example of RFC 9562, appendix A.6, comes out bit for bit."""
    rand_a, rand_b = 0xCC3, 0x18C4DC0C0C07398F

    made = uuid7(0x017F22E279B0, rand_a << 62 | rand_b)

    assert made == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    assert UUID(made).version == 7


def test_later_milliseconds_sort_later_as_text() -> None:
    """The newest connection of a subscription is the greatest id."""
    ids = [uuid7(1_700_000_000_000 + ms, (1 << 74) - 1 - ms) for ms in range(50)]

    assert ids == sorted(ids)
