"""The page's pure parts: exact numbers, harmless texts, rates."""

import json
from typing import Any

import pytest

from tests.support.chromium import Page
from tests.support.page_server import StateServer


@pytest.fixture
def ask(tab: Page, server: StateServer) -> Any:
    """Return a function that calls one function of a module with JSON values."""
    tab.open(server.url)
    tab.until("document.title.includes('✗')")

    def call(module: str, function: str, *values: Any) -> Any:
        given = json.dumps(values)
        return tab.ask(
            f"import('/{module}.js').then((found) => found.{function}(...{given}))"
        )

    return call


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        (0, "0"),
        (1, "0.00000001"),
        (100_000_000, "1"),
        (-150_000_000, "-1.5"),
        (-1, "-0.00000001"),
        ("12345678901234567", "123456789.01234567"),
        ("9223372036854775807", "92233720368.54775807"),
        ("<b>", "<b>"),
    ],
)
def test_an_integer_in_1e_8_is_shown_digit_by_digit(
    ask: Any, units: Any, shown: str
) -> None:
    assert ask("exact", "decimal", units) == shown


def test_json_keeps_every_digit_and_every_text(ask: Any) -> None:
    told = {
        "large": 12345678901234567,
        "negative": -9223372036854775808,
        "small": 123456789012345,
        "fraction": 0.1234567890123456789,
        "power": 1.5e300,
        'a "12345678901234567" in \\ a text': ["x 12345678901234567", "\\", '"'],
    }
    want = {**told, "large": str(told["large"]), "negative": str(told["negative"])}
    assert ask("exact", "parse", json.dumps(told)) == want


def test_a_long_text_does_not_stop_the_reader(ask: Any) -> None:
    told = {"text": 'a\\"b' * 500_000}
    assert ask("exact", "parse", json.dumps(told)) == told


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, ""),
        (-5, "0.0 s"),
        (340, "0.3 s"),
        (59_000, "59 s"),
        (119_000, "119 s"),
        (121_000, "2 min"),
        (7_200_000, "2 h"),
        (200_000_000, "2 d"),
    ],
)
def test_an_age_is_short(ask: Any, ms: int | None, shown: str) -> None:
    assert ask("exact", "duration", ms) == shown


def _rates(tab: Page, samples: list[tuple[int, int | None]]) -> Any:
    given = json.dumps(samples)
    return tab.ask(
        "import('/rates.js').then(({Rates}) => { const rates = new Rates();"
        f"for (const [atMs, value] of {given}) rates.note('a', atMs, value);"
        f"return [rates.recent('a'), rates.points('a', {samples[-1][0]})]; }})"
    )


@pytest.mark.usefixtures("ask")
def test_a_rate_is_what_a_counter_grows_in_a_second(tab: Page) -> None:
    recent, points = _rates(tab, [(0, 100), (1000, 150), (2000, 250)])
    assert recent == 75
    assert points == [[1, 50], [0, 100]]


@pytest.mark.usefixtures("ask")
def test_a_counter_that_went_back_began_anew(tab: Page) -> None:
    recent, points = _rates(tab, [(0, 100), (1000, 20)])
    assert (recent, points) == (20, [[0, 20]])


@pytest.mark.usefixtures("ask")
def test_only_a_minute_is_kept(tab: Page) -> None:
    _, points = _rates(tab, [(n * 1000, n) for n in range(300)])
    assert len(points) == 60


@pytest.mark.usefixtures("ask")
def test_what_is_not_counted_has_no_rate(tab: Page) -> None:
    assert _rates(tab, [(0, None), (1000, None)]) == [None, []]
