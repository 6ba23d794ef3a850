"""Records of the run-time topic are read as entries of the settings file would be."""

from __future__ import annotations

import copy
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest

from bridge.config import Settings, load
from bridge.config.desired import (
    SECTIONS,
    asked_for,
    options_from,
    options_text,
    resolve,
)
from bridge.config.plans import plan_problems, wanted_topics
from bridge.core.codec import Codec, confluent_header
from bridge.core.envelopes import (
    SUBSCRIPTION,
    Desired,
    DesiredState,
    Reader,
    desired_writer,
)
from bridge.core.topics import Topic
from bridge.edge.schemas import bundled
from bridge.errors import ConfigError, RegistryUnreachable
from bridge.venues import VENUES

CODEC = Codec(bundled())
READER = Reader(CODEC)
WRITE = desired_writer(CODEC, CODEC.single_object_header(SUBSCRIPTION))
FILE = """\
finery:
  desk:
    subscriptions: [book.tradable:BTC-USD, orders]
cfbenchmarks:
  rates:
    subscriptions: [value:BRTI]
"""


def settings_of(text: str, folder: Path) -> Settings:
    path = folder / "settings.yaml"
    path.write_text(text)
    return load(path, {}, venues=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(FILE, tmp_path)


def record(
    key: str, state: DesiredState = DesiredState.WANTED, options: str = ""
) -> dict[bytes, bytes]:
    source, _, name = key.partition("/")
    desired = Desired(source=source, subscription=name, state=state, options=options)
    return {key.encode(): WRITE(desired)}


def test_every_venue_has_a_section() -> None:
    """A venue without one could not be subscribed to while workers run."""
    assert SECTIONS.keys() == VENUES.keys()


def test_records_are_merged_over_the_settings(settings: Settings) -> None:
    """One is added with options, one is taken away, the rest is the file's."""
    values = {
        **record("desk/book.tradable:ETH-USD#a", options='{"stale_after_s": 1.5}'),
        **record("desk/orders", DesiredState.UNWANTED),
    }
    found = resolve(settings, values, READER)
    desk, rates = found.sources
    assert found.problems == {}
    assert [one.name for one in desk.wanted] == [
        "book.tradable:BTC-USD",
        "book.tradable:ETH-USD#a",
    ]
    assert desk.wanted[1].stale_after_ms == 1500
    assert rates == settings.sources()[1]
    assert found.records.keys() == {key.decode() for key in values}


def test_an_entry_and_a_record_are_read_alike(tmp_path: Path) -> None:
    """The same options mean the same, wherever they stand."""
    options: dict[str, Any] = {"makers": [1, 2], "stale_after_s": 0, "client_id": 3}
    entry = {"subscription": "book.viewonly:BTC-USD", "label": "x", **options}
    text = json.dumps({"finery": {"desk": {"subscriptions": [entry]}}})
    [by_file] = settings_of(text, tmp_path).sources()
    key = "desk/book.viewonly:BTC-USD#x"
    values = record(key, options=json.dumps(options))
    found = resolve(settings_of("finery: {desk: {}}", tmp_path), values, READER)
    assert found.problems == {}
    assert found.sources[0].wanted == by_file.wanted


@pytest.mark.parametrize(
    ("key", "options", "told"),
    [
        ("desk/positions", "{", "options: are no JSON object"),
        ("desk/positions", "[1]", "options: are no JSON object"),
        ("desk/positions", '{"a":' * 3000, "options: are no JSON object"),
        *(
            ("desk/positions", '{"x":' + "[" * deep + "]" * deep + "}", "options: are")
            for deep in (2, 200, 500, 900)
        ),
        ("desk/positions", '{"x":{"y":1}}', "options: are no JSON object of plain"),
        ("desk/positions", " " * 20_001, "options: 20001 characters were seen; give"),
        ("desk/positions", '{"stale_after_s": 1' + "0" * 400 + "}", ""),
        ("desk/positions", '{"stale_after_s": 1e999}', "options: are no JSON object"),
        ("desk/positions", '{"stale_after_s": NaN}', "options: are no JSON object"),
        ("desk/positions", '{"stale_after_s": "inf"}', "stale_after_s: 'inf' was seen"),
        ("desk/positions", '{"stale_after_s": "nan"}', "stale_after_s: "),
        ("desk/positions", '{"stale_after_s": -1}', "stale_after_s: -1 was seen; give"),
        (
            "desk/positions",
            '{"stale_after": 1}',
            "stale_after: no such setting; did you mean",
        ),
        ("desk/positions", '{"label": "x"}', "label: stands in the name; drop it"),
        ("desk/positions", '{"subscription": "x"}', "subscription: stands in the"),
        ("desk/positions#", "", "is called positions; write that"),
        ("desk/positions#a b", "", "label: a text was seen; give a text that matches"),
        ("desk/", "", "names no stream"),
        ("desk/#a", "", "names no stream"),
        ("desk/book.viewonly:X", '{"makers": ["x"]}', "makers.0: 'x' was seen; give"),
        ("desk/book.viewonly:X", '{"makers": [-1]}', "options.makers is"),
        ("desk/book.tradable:" + "0" * 5000, "", "0000000000000000000000000000000"),
        ("rates/value:BRTI", '{"rhythm": "often"}', "rhythm: 'often' is not known"),
        ("rates/value:BRTI", '{"makers": [1]}', "makers: no such setting"),
        ("dsek/positions", "{", "no such source; there are: desk, rates"),
    ],
)
def test_a_record_that_is_not_valid_is_left_out(
    key: str, options: str, told: str, settings: Settings
) -> None:
    """The sentence names the record, what is wrong, and what to do; others hold."""
    good = record("rates/value:ETHUSD_RTI")
    found = resolve(settings, record(key, options=options) | good, READER)
    assert found.problems.keys() == {key}
    assert found.problems[key].startswith(f"{key}: {told}")
    assert found.sources == resolve(settings, good, READER).sources


def test_what_cannot_be_read_is_as_if_it_were_not_there(settings: Settings) -> None:
    """Rubbish, another record's key, a key that is no text, a state of the future."""
    other = record("desk/positions")[b"desk/positions"]
    values = {
        b"desk/orders": b"rubbish",
        b"desk/currencies": b"",
        b"desk/instruments": other,
        b"\xff": other,
        **record("desk/book.tradable:BTC-USD", DesiredState.UNKNOWN),
    }
    found = resolve(settings, values, READER)
    assert found.sources == settings.sources()
    assert {
        key: text.partition(": ")[2][:24] for key, text in found.problems.items()
    } == {
        "desk/orders": "its record cannot be rea",
        "desk/currencies": "its record cannot be rea",
        "desk/instruments": "its record is about desk",
        "\\xff": "its record is about desk",
        "desk/book.tradable:BTC-USD": "its state is not known t",
    }


@pytest.mark.parametrize(
    ("field", "kind", "given"),
    [
        ("options", {"type": "map", "values": "string"}, {"makers": "1"}),
        ("at", "string", "yesterday"),
        ("at", "double", 0.5),
        ("subscription", "bytes", b"positions"),
        ("source", {"type": "array", "items": "string"}, ["desk"]),
    ],
)
def test_a_foreign_schema_of_the_same_name_spoils_its_own_record_alone(
    field: str, kind: Any, given: Any, settings: Settings
) -> None:
    """A registry may hold a schema of that name whose fields have other types."""
    schema = copy.deepcopy(CODEC.schema(SUBSCRIPTION))
    names = [one["name"] for one in schema["fields"]]
    schema["fields"][names.index(field)] = {"name": field, "type": kind}
    wish = {"source": "desk", "subscription": "positions", "state": "WANTED"}
    datum = {**wish, "options": "", "reason": "", "by": "", "at": 1, field: given}
    stream = BytesIO()
    fastavro.schemaless_writer(stream, schema, datum)
    value = confluent_header(1) + stream.getvalue()

    reader = Reader(CODEC, lambda _id: schema)
    good = record("rates/value:ETHUSD_RTI")
    found = resolve(settings, {b"desk/positions": value, **good}, reader)
    assert found.problems.keys() == {"desk/positions"}
    assert found.sources == resolve(settings, good, READER).sources


def test_a_registry_that_is_away_says_nothing_about_a_record(
    settings: Settings,
) -> None:
    """Nothing is dropped or added while the schemas cannot be fetched."""

    def away(_id: int) -> Any:
        raise RegistryUnreachable("away")

    value = b"\x00\x00\x00\x00\x07" + record("desk/orders")[b"desk/orders"][10:]
    with pytest.raises(RegistryUnreachable):
        resolve(settings, {b"desk/orders": value}, Reader(CODEC, away))


def test_the_template_must_hold_for_what_is_added(tmp_path: Path) -> None:
    """The template that holds for the file may not hold for what is added."""
    text = FILE + "topics: {template: '{venue}.{stream}.{feed_id}'}\n"
    settings = settings_of(text, tmp_path)
    found = resolve(settings, record("desk/book.tradable:A/B"), READER)
    assert "makes 'finery.book.tradable.A/B'" in str(found.problems)

    text = (
        FILE + "topics: {template: '{source}.{stream}', feed_state: desk.positions}\n"
    )
    found = resolve(settings_of(text, tmp_path), record("desk/positions"), READER)
    assert found.problems == {
        "desk/positions": "desk/positions: topics.template: desk.positions is a topic "
        "of feedbridge's own"
    }


@pytest.mark.parametrize("own", ["control", "assignment", "subscriptions"])
def test_no_feed_writes_to_a_topic_of_feedbridges_own(own: str, tmp_path: Path) -> None:
    """A template that leads there is refused, at the start and later."""
    text = (
        f"{FILE}topics: {{template: '{{venue}}.{{stream}}', {own}: finery.positions}}\n"
    )
    settings = settings_of(text, tmp_path)
    assert list(plan_problems(settings)) == []
    assert resolve(settings, record("desk/positions"), READER).problems != {}


def test_options_on_the_command_line() -> None:
    """Words become what the file would hold, checked and in one form."""
    words = ["makers=1, 2", "client_id=7", "stale_after_s=2"]
    options = options_from("finery", words)
    section = asked_for("finery", "book.viewonly:BTC-USD", options)
    assert json.loads(options_text(section)) == {
        "makers": [1, 2],
        "client_id": 7,
        "stale_after_s": 2.0,
    }
    assert options_from("finery", ["makers=[1,2]"]) == {"makers": ["1", "2"]}
    assert options_text(asked_for("cfbenchmarks", "value:BRTI", {})) == ""


@pytest.mark.parametrize("words", [["makers"], ["=1"], ["client_id=1", "client_id=2"]])
def test_words_of_another_form_are_refused(words: list[str]) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError):
        options_from("finery", words)


def by_name(settings: Settings) -> dict[str, Topic]:
    return {topic.name: topic for topic in wanted_topics(settings)}


def test_the_topics_that_workers_share(tmp_path: Path) -> None:
    """Wishes are compacted on one partition; a group has a topic to share over."""
    hours = "topics: {retention_hours: 5}\n"
    alone = by_name(settings_of(FILE + hours, tmp_path))
    wishes = alone["feedbridge.subscriptions"]
    assert (wishes.partitions, wishes.config) == (1, {"cleanup.policy": "compact"})
    assert "feedbridge.assignment" not in alone

    group = "ownership: {mode: group, partitions: 48}\n"
    many = by_name(settings_of(FILE + hours + group, tmp_path))
    dealt = many["feedbridge.assignment"]
    assert (dealt.partitions, dealt.cleanup) == (48, "delete")
    assert many.keys() - alone.keys() == {"feedbridge.assignment"}
