"""The newest records of data topics, found by reading back."""

from __future__ import annotations

import time

from bridge.core.codec import Codec, Decoder
from bridge.core.model import Action, State
from bridge.core.overview import Tails
from bridge.edge.schemas import bundled
from bridge.verbs.tails import look_back
from tests.support.running import Run
from tests.unit.verbs.topic import CONNECTION, TOPIC, Topic

KEY = ("desk", "book.tradable:BTC-USD")


def test_a_boundary_that_cannot_be_read_hides_nothing_behind_it(
    topic: Topic, run: Run
) -> None:
    """Cut short, or without a boundary: counted, and the next records are seen."""
    broken = [topic.mark(0, State.STALE)[:-1], topic.data(1, Action.BOUNDARY)]
    topic.write([*broken, topic.mark(2, State.LIVE), topic.data(3, Action.REFRESH)])
    decoder = Decoder(Codec(bundled()))

    async def main() -> Tails:
        now_ms = int(time.time() * 1000)
        return await look_back(
            {"bootstrap.servers": topic.bootstrap},
            {(TOPIC, 0): {KEY}},
            decoder,
            now_ms,
            60.0,
        )

    found = run(main())
    sight = found.sights[KEY]
    assert found.unreadable == 2
    assert sight.connection == CONNECTION
    assert sight.boundary is not None
    assert sight.boundary[0] == "LIVE"
    assert sight.data_ms is not None
