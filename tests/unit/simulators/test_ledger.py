"""The ledger: `bridge.simulators.ledger`."""

import json
from pathlib import Path

from bridge.simulators.clock import VirtualClock
from bridge.simulators.ledger import Ledger

START_MS = 1_700_000_000_000


def make(limit: int | None = None) -> tuple[Ledger, VirtualClock]:
    clock = VirtualClock(speed=0, start_ms=START_MS)
    return Ledger(clock, limit), clock


def test_entries_are_numbered_and_stamped() -> None:
    """Every entry has its number, the virtual and the real time."""
    ledger, clock = make()
    ledger.add("tick", id="BRTI")
    clock.jump(1)
    ledger.add("frame", connection=1)
    first, second = ledger.entries()
    assert (first["number"], first["at_ms"], first["id"]) == (0, START_MS, "BRTI")
    assert (second["number"], second["at_ms"]) == (1, START_MS + 1000)
    assert first["wall_ms"] > START_MS


def test_entries_of_one_kind() -> None:
    """A kind selects its entries."""
    ledger, _ = make()
    ledger.add("a")
    ledger.add("b")
    assert [entry["kind"] for entry in ledger.entries("b")] == ["b"]


def test_memory_is_bounded() -> None:
    """With a limit the oldest entries go, and are counted."""
    ledger, _ = make(limit=2)
    for n in range(5):
        ledger.add("tick", n=n)
    assert [entry["n"] for entry in ledger.entries()] == [3, 4]
    assert ledger.dropped == 3
    assert ledger.counts() == {"tick": 5}


def test_a_file_has_a_line_an_entry(tmp_path: Path) -> None:
    """The file holds the entries as JSON lines."""
    ledger, _ = make()
    ledger.add("tick", value="1.50")
    assert ledger.to_file(tmp_path / "ledger.jsonl") == 1
    line = json.loads((tmp_path / "ledger.jsonl").read_text())
    assert line["value"] == "1.50"
