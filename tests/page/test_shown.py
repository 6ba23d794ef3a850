"""The page shows what a worker tells: everything, in order, exactly, as text."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import page_states as states
from tests.support.chromium import Page
from tests.support.page_server import StateServer

SUMMARY = "document.getElementById('summary').textContent"
FIRST = "document.querySelector('#summary').textContent.includes('not live')"
BROKEN = [
    "cf/value:BRTI3",
    "desk-a/book.tradable:C21-USD",
    "desk-a/book.tradable:C34-USD",
]
TABLE = """[...document.querySelectorAll('#%s tbody tr')].map(
    (line) => [...line.children].map((cell) => cell.textContent))"""


def _open(tab: Page, server: StateServer, state: Any) -> None:
    server.state = state
    tab.open(server.url)
    tab.until("document.title.includes('✗') || document.title.includes('✓')")


def _rows(tab: Page, section: str) -> list[list[str]]:
    return list(tab.ask(TABLE % section))


def test_the_first_sentence_names_what_is_not_live(
    tab: Page, server: StateServer, pictures: Path
) -> None:
    _open(tab, server, states.broken)
    tab.until("document.querySelectorAll('#subscriptions svg polyline').length == 50")
    assert tab.ask(SUMMARY) == (
        "3 of 50 subscriptions not live: cf/value:BRTI3 STALE SOURCE_TIME_OLD, "
        "desk-a/book.tradable:C21-USD STALE SILENT, "
        "desk-a/book.tradable:C34-USD REFUSED VENUE_REFUSED."
    )
    tab.picture(pictures / "broken-light.png")
    tab.prefer(color_scheme="dark")
    tab.picture(pictures / "broken-dark.png")


def test_fifty_rows_the_broken_first_and_then_by_name(
    tab: Page, server: StateServer
) -> None:
    _open(tab, server, states.broken)
    names = [row[0] for row in _rows(tab, "subscriptions")]
    assert len(names) == 50
    assert names[:3] == BROKEN
    assert names[3:6] == ["cf/value:BRTI1", "cf/value:BRTI2", "cf/value:BRTI4"]
    books = [name for name in names[3:] if name.startswith("desk-a")]
    numbers = [int(name.removesuffix("-USD").rpartition("C")[2]) for name in books]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 740)])
def test_the_broken_are_readable_without_scrolling(
    tab: Page, server: StateServer, width: int, height: int
) -> None:
    tab.size(width, height)
    _open(tab, server, states.broken)
    bottom = "document.getElementById('troubles').getBoundingClientRect().bottom"
    assert 0 < tab.ask(bottom) < height
    said = tab.ask("document.getElementById('troubles').textContent")
    assert all(name in said for name in BROKEN)


def test_a_row_that_breaks_moves_up_and_back(tab: Page, server: StateServer) -> None:
    _open(tab, server, states.healthy)
    assert tab.ask(SUMMARY) == "All 50 subscriptions live."
    server.state = states.broken
    tab.until(FIRST)
    assert [row[0] for row in _rows(tab, "subscriptions")][:3] == BROKEN
    server.state = states.healthy
    tab.until(f"{SUMMARY} == 'All 50 subscriptions live.'")
    assert _rows(tab, "subscriptions")[0][0] == "cf/value:BRTI1"
    assert len(_rows(tab, "subscriptions")) == 50


def test_prices_are_exact_to_the_last_digit(tab: Page, server: StateServer) -> None:
    _open(tab, server, states.healthy)
    shown = {row[0]: row for row in _rows(tab, "subscriptions")}
    row = shown["desk-a/book.tradable:C1-USD"]
    assert row[4] == "123456789.01234567 \N{MULTIPLICATION SIGN} 50.00000001"
    assert row[5] == "123456789.01234569 \N{MULTIPLICATION SIGN} 1.5"
    assert shown["cf/value:BRTI1"][6] == "64250.120000000001"


def test_kafka_ownership_and_trading_are_shown(tab: Page, server: StateServer) -> None:
    _open(tab, server, states.healthy)
    kafka = dict(_rows(tab, "kafka"))
    assert kafka["Waiting for acknowledgement"] == "22 kB"
    assert kafka["Flow"] == "FLOWING"
    share = ["3", "2026-11-18 11:06:40 UTC", "25", "books-1@3"]
    assert _rows(tab, "ownership")[0] == share
    assert _rows(tab, "accounts") == [["desk-a", "✓ ACTIVE", "✓ ready", "1", "0"]]
    topic = _rows(tab, "topics")[0]
    assert topic[-1] == "DONE 1204, REJECTED 3"
    commands = _rows(tab, "commands")
    assert [row[:2] for row in commands] == [
        ["r-2", "✓ DONE"],
        ["r-1", "✗ REJECTEDVENUE_20"],
    ]


def test_a_connection_that_is_down_takes_its_subscriptions_with_it(
    tab: Page, server: StateServer
) -> None:
    def state() -> states.Json:
        found = states.healthy()
        found["connections"].pop()
        found["feeds"][2] |= {"trouble": "no route", "bindings": states.VALUES}
        return found

    _open(tab, server, state)
    said = tab.ask(SUMMARY)
    assert said.startswith("6 of 50 subscriptions not live: cf/value:BRTI1 NOT CONNEC")
    assert said.endswith(" and 1 more; connection down.")
    assert _rows(tab, "connections")[0][:2] == ["cf/index", "✗ not connectedno route"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"flow": "PAUSED"}, "Kafka is slow: PAUSED"),
        ({"phase": "stopping"}, "worker is stopping"),
        ({"orders": {"accounts": {"a": {"ready": True, "trading": "HALTED"}}}}, "HALT"),
        ({"orders": {"accounts": {"a": {"ready": False}}}}, "account not connected"),
        ({"orders": {"topics": {"c": {"partitions": [{"in_doubt": 2}]}}}}, "in doubt"),
        ({"ownership": {"left_out": ["x: no such stream"]}}, "left out"),
    ],
)
def test_other_trouble_is_in_the_first_sentence(
    tab: Page, server: StateServer, change: states.Json, told: str
) -> None:
    _open(tab, server, lambda: states.healthy() | change)
    assert told in tab.ask(SUMMARY)
    assert "All 50 subscriptions live" in tab.ask(SUMMARY)


def test_what_is_live_in_word_but_late_is_not_live(
    tab: Page, server: StateServer
) -> None:
    late = {
        "name": "subscription cf/value:BRTI1",
        "ok": False,
        "why": "no data for 9 s",
    }
    hung = {"name": "consumer commands", "ok": False, "why": "did not come round"}
    state = {"health": {"ok": False, "parts": [late, hung]}}
    _open(tab, server, lambda: states.healthy() | state)
    assert tab.ask(SUMMARY) == (
        "1 of 50 subscriptions not live: cf/value:BRTI1 SILENT; consumer commands."
    )
    first = _rows(tab, "subscriptions")[0]
    assert first[:2] == ["cf/value:BRTI1", "✗ SILENTno data for 9 s"]


def test_a_worker_without_the_newer_fields_is_shown_too(
    tab: Page, server: StateServer
) -> None:
    _open(tab, server, states.as_today)
    rows = _rows(tab, "subscriptions")
    assert len(rows) == 50
    assert [row[0] for row in rows[:3]] == BROKEN
    assert [row[1].split()[1] for row in rows[:3]] == ["STALE", "UNBINDING", "WAITING"]
    assert tab.ask("document.getElementById('commands').hidden")
    assert tab.complaints == []


def test_a_worker_that_prepares_is_shown_too(tab: Page, server: StateServer) -> None:
    waits = {"name": "worker", "ok": False, "why": "kafka_away: refused"}
    state = {"worker": "w-1", "phase": "preparing", "health": {"parts": [waits]}}
    _open(tab, server, lambda: state)
    assert tab.ask(SUMMARY) == "No subscription runs here; worker is preparing."
    listed = tab.ask("document.getElementById('troubles').textContent")
    assert listed == "worker is preparing: kafka_away: refused"
    assert tab.complaints == []


def test_the_rate_of_the_last_minute_is_drawn(tab: Page, server: StateServer) -> None:
    _open(tab, server, states.healthy)
    tab.until("document.querySelector('#connections polyline').points.length >= 3")
    assert tab.ask(
        "document.querySelector('#connections .figure').textContent"
    ).endswith("/s")


@pytest.mark.parametrize("width", [1280, 360])
def test_hostile_texts_are_shown_as_text(
    tab: Page, server: StateServer, pictures: Path, width: int
) -> None:
    tab.size(width, 800)
    _open(tab, server, states.hostile)
    tab.until("document.querySelectorAll('#subscriptions svg').length > 50")
    page = tab.ask("document.body.innerText")
    assert "<script>document.title='owned'</script>" in page
    assert r"\u{202e}gnihtyna \u{2066}\u{200b}" in page
    assert "\u202e" not in page
    assert "مرحبا بالعالم" in page
    assert "A" * 300 + "… (10,000 characters)" in page
    assert "A" * 301 not in page
    assert tab.ask("document.querySelectorAll('img, main script').length") == 0
    assert tab.ask("document.title") != "owned"
    assert tab.ask("document.documentElement.scrollWidth") == width
    assert tab.complaints == []
    tab.picture(pictures / f"hostile-{width}.png")


def test_nothing_is_asked_of_another_origin_and_nothing_is_complained_of(
    tab: Page, server: StateServer
) -> None:
    _open(tab, server, states.hostile)
    tab.until("document.querySelectorAll('#subscriptions svg').length > 50")
    asked = [url for url in tab.requests if not url.startswith("data:")]
    assert asked
    assert [url for url in asked if not url.startswith(server.url)] == []
    assert tab.complaints == []
    assert tab.ask("document.cookie + localStorage.length + sessionStorage.length") == (
        "00"
    )


def test_nothing_on_the_page_can_change_anything(
    tab: Page, server: StateServer
) -> None:
    _open(tab, server, states.broken)
    active = "document.querySelectorAll('form, button, input, select, textarea').length"
    assert tab.ask(active) == 0
