"""Log lines: their form, their level, and what must not be in them."""

import io
import json
import logging
from typing import Any

import pytest
from typing_extensions import override

from bridge.edge.logs import LEVELS, Log, LogHandler, Redactor
from tests.support.clock import ManualClock


def test_an_event_is_one_json_line() -> None:
    """A line has the time, the level, the event's name and its facts."""
    out = io.StringIO()
    log = Log(out=out, clock=ManualClock(wall_ns=1_700_000_000_123_456_789))
    log("connected", source="desk", attempt=2, detail="a\nb")
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue()) == {
        "at": "2023-11-14T22:13:20.123+00:00",
        "level": "info",
        "event": "connected",
        "source": "desk",
        "attempt": 2,
        "detail": "a\nb",
    }


def test_text_is_one_line_for_people() -> None:
    """In text form, facts stand as name=value; odd values are quoted, none left out."""
    out = io.StringIO()
    log = Log(form="text", out=out, clock=ManualClock(wall_ns=1_700_000_000 * 10**9))
    log("gap", level="warning", lost=3, detail="two words\n", reason=None, empty="")
    expected = '22:13:20 WARNING gap lost=3 detail="two words\\n"\n'
    assert out.getvalue() == expected


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_name_of_a_fact_breaks_a_line(form: str) -> None:
    """Facts come from anywhere; one called like a field of ours gives way to it."""
    out = io.StringIO()
    clock = ManualClock(wall_ns=1_700_000_000 * 10**9)
    log = Log(form=form, out=out, clock=clock)  # type: ignore[arg-type]
    facts: dict[str, Any] = {"at": 1, "event": "other", "self": 2, "level": 7, "a": 3}
    log("real", **facts)
    if form == "json":
        assert json.loads(out.getvalue()) == {
            "at": "2023-11-14T22:13:20.000+00:00",
            "level": 7,
            "event": "real",
            "self": 2,
            "a": 3,
        }
    else:
        assert out.getvalue().startswith("22:13:20 7       real ")


class Broken(io.StringIO):
    """A file that takes nothing."""

    @override
    def write(self, _text: str, /) -> int:
        """Fail as a full disk, or a pipe that nobody reads."""
        raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_written_stops_nothing() -> None:
    """A full disk, or a pipe that nobody reads any more, costs the line alone."""
    Log(out=Broken())("event")
    closed = io.StringIO()
    closed.close()
    Log(out=closed)("event")


def logger_of(name: str) -> logging.Logger:
    """Return a logger with no handlers but those it is given."""
    logger = logging.getLogger(f"{__name__}.{name}")
    logger.propagate = False
    logger.handlers.clear()
    return logger


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("error", 1)])
def test_the_level_hides_what_is_below(level: str, shown: int) -> None:
    """Only events of the level and above are written."""
    out = io.StringIO()
    log = Log(level=level, out=out)  # type: ignore[arg-type]
    for each in LEVELS:
        log("event", level=each)
    assert len(out.getvalue().splitlines()) == shown


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_secret_is_replaced_everywhere(form: str) -> None:
    """A registered secret appears in no line: not in facts, names, or nested values."""
    secrets = ["s3cr3t", 'quo"te\\d', "übel", "s3cr3t-longer"]
    out = io.StringIO()
    log = Log(form=form, out=out)  # type: ignore[arg-type]
    for secret in secrets:
        log.redactor.hide(secret)
    for secret in secrets:
        log(f"event {secret}", url=f"wss://{secret}@host", more=[{"a": secret}])
        facts: dict[str, Any] = {secret: 1}
        log("e", **facts)
    for secret in secrets:
        assert secret not in out.getvalue()
        assert json.dumps(secret)[1:-1] not in out.getvalue()
    assert "longer" not in out.getvalue()
    assert "***" in out.getvalue()


def test_a_tiny_secret_is_not_registered() -> None:
    """One or two characters are no secret: replacing them would spoil every line."""
    redactor = Redactor()
    redactor.hide("")
    redactor.hide("a")
    assert redactor.clean("banana") == "banana"


def test_libraries_speak_through_the_same_lines() -> None:
    """What a library logs becomes an event, with its level and without secrets."""
    out = io.StringIO()
    log = Log(out=out)
    log.redactor.hide("s3cr3t")
    logger = logger_of("library.part")
    logger.addHandler(LogHandler(log))
    logger.debug("not shown")
    logger.warning("broker %s: %s", 1, "s3cr3t")
    logger.critical("worse")
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert first["event"] == "library"
    assert first["level"] == "warning"
    assert first["of"].endswith("library.part")
    assert first["said"] == "broker 1: ***"
    assert second["level"] == "error"


def test_a_broken_record_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A record that cannot be formatted is told by `logging`, and raises nothing."""
    logger = logger_of("library")
    logger.addHandler(LogHandler(Log(out=io.StringIO())))
    logger.warning("%d", "not a number")
    assert "not a number" in capsys.readouterr().err
