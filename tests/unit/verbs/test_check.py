"""`feedbridge check`, `topics` and `schemas`: what follows from the settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge import cli
from bridge.config import load
from bridge.config.plans import wanted_topics
from bridge.core.ownership import partition_of
from bridge.edge.admin import Admin, TopicState
from bridge.errors import KafkaError
from bridge.verbs.check import is_loopback
from bridge.verbs.probe import skew
from bridge.verbs.topics import judge
from tests.unit.verbs.topic import TOPIC, Topic

ROOT = Path(__file__).parents[3]
LOGIN = {
    "FEEDBRIDGE_FINERY__DESK__KEY": "k3y",
    "FEEDBRIDGE_FINERY__DESK__SECRET": "s3c",
}


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)


def test_check_shows_where_each_subscription_goes(
    topic: Topic, login: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Topic, key, schema and guarantee are known before anything runs."""
    code = cli.main(["check", "--json", "--config", str(topic.config)])
    found = json.loads(capsys.readouterr().out)
    [book, status] = found["subscriptions"]

    assert code == 0
    assert book["subscription"] == "desk/book.tradable:BTC-USD"
    assert (book["topic"], book["partition_key"]) == (TOPIC, "BTC-USD")
    assert book["schema"] == "finery.Book"
    assert book["guarantee"]
    assert status["topic"] == "finery.status"
    assert [line["bindings"] for line in found["connections"]] == [1]


def test_check_as_a_table_ends_in_a_verdict(
    topic: Topic, login: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line says that the settings are valid, and that nothing was opened."""
    code = cli.main(["check", "--config", str(topic.config)])
    lines = capsys.readouterr().out.splitlines()

    assert code == 0
    assert lines[-1] == ("settings are valid: 2 subscriptions; nothing was opened")
    assert "s3c" not in "\n".join(lines)


def test_check_connect_reports_each_dependency_in_a_line(
    topic: Topic, login: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kafka answers, the venue does not: both are told, and the exit code is not 0."""
    code = cli.main(["check", "--connect", "--config", str(topic.config)])
    lines = capsys.readouterr().out.splitlines()

    assert code == 1
    assert lines[-2] == (
        "ok      Kafka: 1 of 5 topics are there; the worker will create"
        " feedbridge.dead-letter, feedbridge.feed-state, feedbridge.subscriptions,"
        " finery.status"
    )
    assert lines[-1].startswith("FAILED  desk: ")


def test_check_connect_fails_where_the_worker_would(
    topic: Topic, login: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Topics that are missing and that no worker may create are a failure."""
    with topic.config.open("a") as file:
        file.write("topics: {create: false}\n")
    argv = ["check", "--connect", "--json", "--config", str(topic.config)]
    code = cli.main(argv)
    answers = json.loads(capsys.readouterr().out)["answers"]

    assert code == 5
    assert (answers[0]["part"], answers[0]["ok"]) == ("Kafka", False)
    assert answers[0]["detail"].startswith("topics missing: feedbridge.dead-letter, ")


GROUP = """
ownership: {{mode: {mode}, partitions: {partitions}}}
transport: {{workers_per_address: {workers_per_address}, max_connections: {limit}}}
finery:
  desk:
    url: ws://127.0.0.1:1/ws
    books_per_connection: 1
    subscriptions: [{books}]
"""


def group(folder: Path, books: int = 96, **more: object) -> Path:
    """Write settings with so many books, each on a connection of its own."""
    names = ", ".join(f"book.tradable:A{n}-USD" for n in range(books))
    said: dict[str, object] = {
        "mode": "group",
        "partitions": 24,
        "workers_per_address": 1,
        "limit": 200,
        **more,
    }
    file = folder / "settings.yaml"
    file.write_text(GROUP.format(books=names, **said))
    return file


def test_check_shows_who_would_run_what(
    tmp_path: Path, login: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """All partitions and bindings are dealt, with weight and connections by host."""
    file = group(tmp_path)
    code = cli.main(["check", "--workers", "3", "--json", "--config", str(file)])
    found = json.loads(capsys.readouterr().out)["group"]
    workers = found["workers"]

    assert code == 0
    assert [worker["worker"] for worker in workers] == [f"worker-{n}" for n in range(3)]
    dealt = [number for worker in workers for number in worker["partitions"]]
    assert sorted(dealt) == list(range(24))
    assert {len(worker["partitions"]) for worker in workers} == {8}
    assert sum(worker["bindings"] for worker in workers) == 96
    assert [w["weight"] for w in workers] == [10 * w["bindings"] for w in workers]
    assert [w["connections"] for w in workers] == [
        {"127.0.0.1:1": worker["bindings"]} for worker in workers
    ]
    heaviest = max(worker["weight"] for worker in workers)
    assert found["imbalance"] == pytest.approx(heaviest / 320, abs=0.001)
    assert found["one_address"] == {"127.0.0.1:1": {"connections": 96, "allowed": 200}}
    used = {partition_of("desk", f"book.tradable:A{n}-USD", 24) for n in range(96)}
    assert (found["partitions"], found["empty_partitions"]) == (24, 24 - len(used))
    assert found["advice"] == [
        "a running group may deal the partitions differently, but equally many to each"
    ]


def test_check_without_workers_has_no_group(
    tmp_path: Path, login: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was not asked for is null."""
    cli.main(["check", "--json", "--config", str(group(tmp_path))])

    assert json.loads(capsys.readouterr().out)["group"] is None


@pytest.mark.parametrize(
    ("workers", "more", "said"),
    [
        (3, {"mode": "static"}, "ownership is static, so each worker would run every"),
        (5, {"partitions": 3}, "2 of 5 workers would be idle, since there are 3 part"),
        (16, {}, "make ownership.partitions a multiple of 16"),
        (3, {"books": 2}, "so few subscriptions fall unevenly into partitions"),
        (3, {"limit": 60}, "96 connections to 127.0.0.1:1 are more than 60, the limit"),
        (3, {"limit": 60}, "at least 2 of 3 workers must live to have all 96"),
        (
            3,
            {"limit": 60, "workers_per_address": 3},
            "connections to 127.0.0.1:1 and may have 20 (transport.max_connections",
        ),
    ],
)
def test_check_tells_what_would_not_go_well(
    tmp_path: Path,
    login: None,
    capsys: pytest.CaptureFixture[str],
    workers: int,
    more: dict[str, object],
    said: str,
) -> None:
    """Idle workers, imbalance and too many connections, each with what to do."""
    file = group(tmp_path, **more)  # type: ignore[arg-type]
    words = ["check", "--workers", str(workers), "--json", "--config", str(file)]

    assert cli.main(words) == 0
    found = json.loads(capsys.readouterr().out)["group"]
    assert [line for line in found["advice"] if said in line], found["advice"]


def test_check_workers_as_a_table(
    tmp_path: Path, login: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line a worker; the verdict is still the last."""
    file = group(tmp_path, books=24)
    assert cli.main(["check", "--workers", "2", "--config", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()

    [first] = [line for line in lines if line.startswith("worker-0")]
    assert first.split()[:4] == ["worker-0", "12:", "0", "2"]
    assert [line for line in lines if line.startswith("worker-1")]
    assert lines[-1].startswith("settings are valid: ")


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("ws://127.0.0.1:80/ws", True),
        ("ws://localhost/ws", True),
        ("ws://[::1]:8080/ws", True),
        ("ws://venue:80/ws", False),
        ("wss://localhost.example.com/ws", False),
        ("ws://127.0.0.1.example.com/ws", False),
    ],
)
def test_a_login_in_the_clear_is_fine_on_this_machine_only(
    url: str, *, inside: bool
) -> None:
    """The note on unencrypted logins leaves simulators alone."""
    assert is_loopback(url) is inside


@pytest.mark.parametrize(
    ("now_s", "words"),
    [
        (1_700_000_000.0, ""),
        (1_700_000_001.5, ""),
        (1_700_000_090.0, "90 s ahead of"),
        (1_699_999_970.0, "30 s behind"),
    ],
)
def test_a_wrong_clock_is_told(now_s: float, words: str) -> None:
    """Signed logins need a clock that is right; the venue's answer has a date."""
    assert words in skew("Tue, 14 Nov 2023 22:13:20 GMT", now_s)
    assert bool(words) is bool(skew("Tue, 14 Nov 2023 22:13:20 GMT", now_s))


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
    ],
)
def test_no_date_means_no_advice(date: str) -> None:
    """A venue need not send a date, nor one that is any."""
    assert skew(date) == ""


def test_topics_shows_the_plan_and_what_is_missing(
    topic: Topic, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each topic stands with its shape, its state, and the reason for it."""

    async def describe(_self: Admin, _names: list[str]) -> dict[str, TopicState]:
        return {TOPIC: TopicState(TOPIC, 1, 1, {})}

    # The embedded Kafka cannot describe configurations.
    monkeypatch.setattr(Admin, "describe", describe)
    code = cli.main(["topics", "--json", "--config", str(topic.config)])
    found = {line["topic"]: line for line in json.loads(capsys.readouterr().out)}

    assert code == 5
    assert found[TOPIC]["state"] == "differs"
    assert found[TOPIC]["problems"][0].startswith("has 1 partitions, 6 wanted")
    assert found["finery.status"]["state"] == "missing"
    assert found["feedbridge.feed-state"]["config"] == {"cleanup.policy": "compact"}


def test_topics_without_a_broker_still_shows_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan needs no Kafka; the reason and exit code 5 say that it is away."""

    async def describe(_self: Admin, _names: list[str]) -> dict[str, TopicState]:
        raise KafkaError("no broker of 127.0.0.1:1 answered")

    monkeypatch.setattr(Admin, "describe", describe)
    file = tmp_path / "settings.yaml"
    file.write_text("kafka: {bootstrap_servers: '127.0.0.1:1'}\n")
    code = cli.main(["topics", "--config", str(file)])
    out = capsys.readouterr().out

    assert code == 5
    assert "feedbridge.dead-letter" in out
    assert "no broker of 127.0.0.1:1 answered" in out


def test_a_created_topic_is_not_judged() -> None:
    """What was just created is as planned."""
    settings = load(None, {}, venues=False)
    named = {topic.name: topic for topic in wanted_topics(settings)}
    dead, state = named["feedbridge.dead-letter"], named["feedbridge.feed-state"]
    known = {state.name: TopicState(state.name, 1, 1, {"cleanup.policy": "compact"})}

    assert judge(dead, known, [dead.name]).state == "created"
    assert judge(state, known, []).state == "there"


def test_schemas_list_knows_every_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """Without settings, the default topic of each stream is listed."""
    code = cli.main(["schemas", "list", "--json"])
    found = {
        line["topic"]: line["schema"] for line in json.loads(capsys.readouterr().out)
    }

    assert code == 0
    assert found["finery.book.global"] == "finery.Book"
    assert found["cfbenchmarks.value"] == "cfbenchmarks.Value"
    assert found["feedbridge.feed-state"] == "feedbridge.FeedState"


def test_schemas_register_needs_a_registry(capsys: pytest.CaptureFixture[str]) -> None:
    """The problem names the setting."""
    assert cli.main(["schemas", "register"]) == 2
    assert "registry.url: is missing" in capsys.readouterr().err


def test_every_reason_is_explained() -> None:
    """docs/errors.md has a line for each reason code and each exit code."""
    from bridge.core.model import Reason

    text = (ROOT / "docs" / "errors.md").read_text()

    for reason in Reason:
        assert f"| `{reason}` |" in text, reason
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert f"| {code} |" in text
