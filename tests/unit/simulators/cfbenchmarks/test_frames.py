"""Frames on the wire: `bridge.simulators.cfbenchmarks.frames`."""

from typing import Any

import pytest

from bridge.simulators.cfbenchmarks.frames import Stats, Tick, frame
from bridge.simulators.cfbenchmarks.options import CfBenchmarksOptions

# The captured frame of July 2026 in the reference, per-second series.
TICK = Tick("BRTI", 1784775705000, "65766.03")
PLAIN = '{"type":"value","time":1784775705000,"id":"BRTI","value":"65766.03"}'
STATS = Stats("1888000.0", "1.1607", "1.1662", "1.1631")
# The fixture of a public adapter, with another environment's index.
STATS_FRAME = (
    '{"type":"rti_stats","time":1677876163000,"id":"U_ETHUSD_RTI",'
    '"value":"1.1635","utilizedDepth":"1888000.0","valueBid":"1.1607",'
    '"valueAsk":"1.1662","midPrice":"1.1631"}'
)
SPACED = '{"type": "value", "id": "BRTI", "value": "65766.03", "time": 1784775705000}'
AMENDED = ',"amendTime":1784775709000,"repeatOfPreviousValue":true}'
NULLS = ',"amendTime":null,"repeatOfPreviousValue":null'
EXTRA = ',"simulatedExtra":{"nested":[1,null,"x"]}}'


@pytest.mark.parametrize(
    ("tick", "options", "expected"),
    [
        (TICK, {}, PLAIN),
        (
            TICK,
            {"key_order": "documented", "spaces": True},
            SPACED,
        ),
        (
            TICK._replace(value="77002.30"),
            {"quoted": False},
            '{"type":"value","time":1784775705000,"id":"BRTI","value":77002.30}',
        ),
        (
            TICK._replace(amend_time=1784775709000, repeat=True),
            {},
            PLAIN[:-1] + AMENDED,
        ),
        (
            Tick("U_ETHUSD_RTI", 1677876163000, "1.1635", stats=STATS),
            {"key_order": "documented"},
            STATS_FRAME,
        ),
        (
            TICK._replace(odd=frozenset({"seconds_time"})),
            {},
            '{"type":"value","time":1784775705,"id":"BRTI","value":"65766.03"}',
        ),
        (
            TICK._replace(odd=frozenset({"null_optionals", "extra_fields"})),
            {},
            PLAIN[:-1] + NULLS + EXTRA,
        ),
        (
            TICK._replace(padding=3),
            {},
            PLAIN[:-1] + ',"simulatedPadding":"xxx"}',
        ),
    ],
)
def test_a_frame(tick: Tick, options: dict[str, Any], expected: str) -> None:
    """Compact `type,time,id,value` as captured; every switch changes what it says."""
    assert frame(tick, CfBenchmarksOptions(**options)) == expected
