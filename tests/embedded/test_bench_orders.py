"""`feedbridge bench orders` as a person starts it, with a few orders."""

import json

import pytest

from bridge.cli import main

ARGUMENTS = "bench orders --json --orders 15 --rates 30"


@pytest.mark.timeout(120)
def test_a_short_run_measures_every_order_beside_the_floor(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Each order is done and has all its moments; no way is faster than time allows."""
    assert main(ARGUMENTS.split()) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["whole"]
    assert set(report["loads"]) == {"one at a time", "30/s"}
    for load in report["loads"].values():
        assert load["orders"] == load["done"] == 15
        ways = {name: way["p50"] for name, way in load["ways"].items()}
        assert 0 < ways["floor: one hop"] < ways["floor: two hops"]
        assert ways["produced to frame sent"] > 0
        assert ways["produced to frame sent"] < ways["produced to final at the sender"]
        assert ways["reply to final at the sender"] > 0
        assert load["ways"]["floor: two hops"]["x_floor"] == 1
