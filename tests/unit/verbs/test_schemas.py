"""`feedbridge schemas` tells the truth and leaves with the right code."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from bridge.edge.registry import Login
from bridge.edge.schemas import bundled
from bridge.errors import RegistryUnreachable
from bridge.verbs import schemas as verb
from tests.support.running import Run
from tests.unit.edge.registry_stand import Stand, standing

TOPICS = [("finery.book.tradable", "finery.Book"), ("cf", "cfbenchmarks.Value")]


@pytest.fixture
def stand() -> Iterator[Stand]:
    """Run a registry that has no schema yet and accepts any."""
    with standing() as made:
        yield made


def test_list_names_topic_subject_and_fingerprint() -> None:
    """Each topic has a line, in a table and as JSON alike."""
    table, text = io.StringIO(), io.StringIO()
    assert verb.list_schemas(TOPICS, table, as_json=False) == 0
    assert verb.list_schemas(TOPICS, text, as_json=True) == 0

    rows = json.loads(text.getvalue())
    assert rows[0]["subject"] == "finery.book.tradable-value"
    assert rows[0]["schema"] == "finery.Book"
    titles, *lines = table.getvalue().splitlines()
    assert titles.split() == ["topic", "subject", "schema", "fingerprint"]
    assert [line.split() for line in lines] == [list(row.values()) for row in rows]


def test_check_needs_no_registry(run: Run) -> None:
    """Without a registry the bundled schemas are checked, all of them."""
    out = io.StringIO()
    assert run(verb.check(TOPICS, None, out, as_json=True)) == 0
    assert [line["schema"] for line in json.loads(out.getvalue())] == sorted(bundled())


def test_check_finds_breaks_with_the_last_release(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field that lost its type, and a schema that is gone, end with exit code 4."""
    old = {"finery.Status": bundled()["finery.Status"].replace('"int"', '"string"', 1)}
    old["finery.Gone"] = old["finery.Status"]
    monkeypatch.setattr(verb, "released", lambda: old)
    out = io.StringIO()

    assert run(verb.check(TOPICS, None, out, as_json=False)) == 4

    assert "finery.Status.data.code: was text, is int" in out.getvalue()
    assert "finery.Gone: is gone" in out.getvalue()


def test_check_asks_the_registry(stand: Stand, run: Run) -> None:
    """With a registry, each topic's subject is looked up and checked, never changed."""
    out = io.StringIO()
    assert run(verb.check(TOPICS, Login(stand.url), out, as_json=True)) == 0
    lines = {line["subject"]: line for line in json.loads(out.getvalue())}
    assert lines["cf-value"]["state"] == "compatible, not registered"
    assert not any(path.endswith("/versions") for path in stand.paths())


def test_register_reports_ids(stand: Stand, run: Run) -> None:
    """What is missing is registered; the ids are shown."""
    out = io.StringIO()
    assert run(verb.register(TOPICS, Login(stand.url), out, as_json=True)) == 0
    assert [(line["state"], line["id"]) for line in json.loads(out.getvalue())] == [
        ("registered now", 21),
        ("registered now", 21),
    ]


def test_register_goes_on_after_a_refusal(stand: Stand, run: Run) -> None:
    """One incompatible subject does not hide the others; the exit code is 4."""
    stand.answers = {
        "/compatibility/subjects/cf-value": (200, {"is_compatible": False}),
        **stand.answers,
    }
    out = io.StringIO()
    assert run(verb.register(TOPICS, Login(stand.url), out, as_json=False)) == 4
    assert "registered now" in out.getvalue()
    assert "cfbenchmarks.Value: cf-value: the schema of this version" in out.getvalue()


def test_an_unreachable_registry_is_an_error(run: Run) -> None:
    """Nothing is guessed about a registry that does not answer."""
    with standing() as gone:
        login = Login(gone.url)
    with pytest.raises(RegistryUnreachable):
        run(verb.check(TOPICS, login, io.StringIO(), as_json=False))
