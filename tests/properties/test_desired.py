"""Whatever the topic of run-time subscriptions holds, each record is judged alone."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.config import Settings
from bridge.config.desired import resolve
from bridge.core.codec import Codec
from bridge.core.envelopes import (
    SUBSCRIPTION,
    Desired,
    DesiredState,
    Reader,
    desired_writer,
)
from bridge.edge.schemas import bundled

CODEC = Codec(bundled())
READER = Reader(CODEC)
WRITE = desired_writer(CODEC, CODEC.single_object_header(SUBSCRIPTION))
SETTINGS = Settings(
    finery={"desk": {"subscriptions": ["orders"]}},
    cfbenchmarks={"rates": {}},
)
KNOWN = ("label", "makers", "client_id", "instrument_id", "stale_after_s", "rhythm")

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_OPTIONS = st.dictionaries(st.sampled_from(KNOWN) | st.text(), _JSON, max_size=4)
_NAMES = st.one_of(
    st.text(max_size=20),
    st.builds(
        "{}:{}#{}".format,
        st.sampled_from(["book.tradable", "book.viewonly", "positions", "value"]),
        st.text(max_size=8) | st.text("0123456789", max_size=60),
        st.text("ab#", max_size=3),
    ),
    st.sampled_from(["positions", "book.tradable:BTC-USD", "value:BRTI"]),
)


@given(
    st.sampled_from(["desk", "rates", "other"]),
    _NAMES,
    _OPTIONS.map(json.dumps) | st.text(),
    st.integers(-(2**63), 2**63 - 1),
)
@example("desk", "positions", '{"x":' + "[" * 600 + "]" * 600 + "}", 1)
@example("desk", "book.tradable:" + "0" * 5000, "", 1)
def test_a_record_is_taken_or_left_out_and_another_one_holds(
    source: str, name: str, options: str, at_ms: int
) -> None:
    """Nothing that a record may hold stops a worker, or the command line."""
    good = Desired(source="rates", subscription="value:BRR", state=DesiredState.WANTED)
    drawn = Desired(
        source=source,
        subscription=name,
        state=DesiredState.WANTED,
        options=options,
        at_ms=at_ms,
    )
    values = {one.key.encode(): WRITE(one) for one in (drawn, good)}
    found = resolve(SETTINGS, values, READER)
    wanted = {f"{s.name}/{one.name}" for s in found.sources for one in s.wanted}
    assert (drawn.key in wanted) is (drawn.key not in found.problems)
    assert {"desk/orders", good.key} <= wanted
