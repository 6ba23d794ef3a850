"""The settings of the command topics: what they mean, and what must hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.config import Settings, load
from bridge.core.orders import Kind
from bridge.core.policy import Limit
from bridge.errors import ConfigError

TREE = dict[str, Any]
LOGIN = {
    "FEEDBRIDGE_FINERY__DESK_A__KEY": "k3y",
    "FEEDBRIDGE_FINERY__DESK_A__SECRET": "s3cret",
}
TOPIC = "finery.commands"
LEAST: TREE = {"responses": "finery.responses", "accounts": ["desk-a"]}
WATCHED: TREE = {"subscriptions": ["orders"]}


def loaded(path: Path, commands: TREE, **more: object) -> Settings:
    tree = {"finery": {"desk-a": WATCHED}, "commands": commands, **more}
    file = path / "settings.yaml"
    file.write_text(yaml.safe_dump(tree))
    return load(file, LOGIN)


def problem(path: Path, commands: TREE, **more: object) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(path, commands, **more)
    [found] = caught.value.problems
    return found


def one(**changes: object) -> TREE:
    return {TOPIC: {**LEAST, **changes}}


def test_without_a_command_topic_there_is_no_order_path(tmp_path: Path) -> None:
    """Nothing is switched on by itself."""
    assert loaded(tmp_path, {}).commands == {}


def test_the_least_settings_of_a_topic_only_read(tmp_path: Path) -> None:
    """Responses and accounts are all that has no default; orders are off."""
    part = loaded(tmp_path, one()).commands[TOPIC]
    policy = part.policy()

    assert policy.kinds == {Kind.READ}
    assert policy.accounts == {"desk-a"}
    assert not policy.methods
    assert not policy.instruments
    assert not policy.reply_to
    assert policy.limit == Limit()
    assert not part.dry_run
    assert not part.cancel_on_disconnect


def test_the_policy_is_what_the_settings_say(tmp_path: Path) -> None:
    """Classes and names of methods are told apart; limits go by instrument."""
    part = loaded(
        tmp_path,
        one(
            methods=["read", "order", "setCLimit"],
            instruments=["BTC-USD", "ETH-USD"],
            max_size_e8=10,
            max_volume_e8=20,
            limits={"BTC-USD": {"max_size_e8": 5}},
            orders_per_second=3,
            reply_to=["answers"],
        ),
    ).commands[TOPIC]
    policy = part.policy()

    assert policy.kinds == {Kind.READ, Kind.ORDER}
    assert policy.methods == {"setCLimit"}
    assert policy.instruments == {"BTC-USD", "ETH-USD"}
    assert policy.limit_of("BTC-USD") == (5, 20)
    assert policy.limit_of("ETH-USD") == (10, 20)
    assert policy.orders_per_second == 3
    assert policy.reply_to == {"answers"}


def test_an_account_may_serve_commands_alone(tmp_path: Path) -> None:
    """What sends orders need not subscribe to anything; what does neither is told."""
    settings = loaded(tmp_path, one(), finery={"desk-a": {}})

    assert settings.plans() == []
    assert "subscriptions: is empty" in problem(tmp_path, {}, finery={"desk-a": {}})


def test_a_command_topic_can_be_set_by_the_environment_alone() -> None:
    """A topic's name has dots, so it comes as a mapping; the rest as usual."""
    environ = LOGIN | {
        "FEEDBRIDGE_FINERY__DESK_A__ROLE": "taker",
        "FEEDBRIDGE_COMMANDS": '{"finery.commands": {"responses": "r", '
        '"accounts": ["desk_a"]}}',
    }
    settings = load(None, environ)

    assert settings.commands["finery.commands"].responses == "r"
    assert settings.finery["desk_a"].role == "taker"


def test_a_variable_changes_a_topic_of_the_file(tmp_path: Path) -> None:
    """Dots in its name become underscores, as in the names of accounts."""
    loaded(tmp_path, one())
    environ = LOGIN | {"FEEDBRIDGE_COMMANDS__FINERY_COMMANDS__DRY_RUN": "true"}

    assert load(tmp_path / "settings.yaml", environ).commands[TOPIC].dry_run


def test_the_role_of_an_account_is_unknown_unless_told(tmp_path: Path) -> None:
    """Then the venue alone judges order types."""
    assert loaded(tmp_path, one()).finery["desk-a"].role == "unknown"
    told = loaded(tmp_path, one(), finery={"desk-a": {**WATCHED, "role": "maker"}})
    assert told.finery["desk-a"].role == "maker"


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"responses": TOPIC}, "responses", "is a command topic"),
        ({"responses": "a b"}, "responses", "a topic name has only"),
        ({"responses": "feedbridge.feed-state"}, "responses", "feedbridge's own"),
        ({"responses": ""}, "responses", "not empty"),
        ({"accounts": []}, "accounts", "at least 1"),
        ({"accounts": ["desk-b"]}, "accounts", "did you mean desk-a?"),
        ({"accounts": ["other"]}, "accounts", "add it under finery"),
        ({"accounts": ["desk-a", "desk-a"]}, "accounts", "named twice"),
        ({"reply_to": ["a b"]}, "reply_to", "a topic name has only"),
        ({"reply_to": [TOPIC]}, "reply_to", "has another use"),
        ({"reply_to": ["finery.responses"]}, "reply_to", "has another use"),
        ({"reply_to": ["feedbridge.dead-letter"]}, "reply_to", "has another use"),
        ({"settle_ms": 6_099}, "settle_ms", "give at least 6100"),
        ({"user_timeout_ms": 9_000}, "settle_ms", "give at least 10100"),
        ({"default_deadline_ms": 60_001}, "default_deadline_ms", "max_deadline_ms"),
        ({"retention_hours": 1}, "retention_hours", "at least 1.10"),
        (
            {"instruments": ["A-B"], "limits": {"C-D": {}}},
            "limits.C-D",
            "not among instruments",
        ),
        ({"orders_per_second": 0}, "orders_per_second", "more than 0"),
        ({"max_size_e8": 0}, "max_size_e8", "at least 1"),
        ({"dryrun": True}, "dryrun", "did you mean dry_run?"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_hold_says_where_and_what_to_do(
    tmp_path: Path, changes: TREE, path: str, words: str
) -> None:
    """One problem, one line: the setting, what was seen, what to do."""
    found = problem(tmp_path, one(**changes))

    assert found.startswith(f"commands.{TOPIC}.{path}: ")
    assert words in found


STOP: TREE = {"kafka": {"flush_timeout_s": 5}, "stop": {"grace_seconds": 12}}


def test_the_grace_must_cover_every_answer(tmp_path: Path) -> None:
    """A stop keeps 11 s for itself: what is left is less than a command may wait."""
    found = problem(tmp_path, one(answer_timeout_ms=1_500), **STOP)

    assert found == (
        "stop.grace_seconds: 12 s leave commands of finery.commands no time for their "
        "answers (answer_timeout_ms, 1.5 s), since a stop keeps 11 s to leave Kafka in "
        "order; give at least 12.5, or lower commands.finery.commands.answer_timeout_ms"
    )
    assert loaded(tmp_path, one(answer_timeout_ms=1_000), **STOP).commands
    assert not loaded(tmp_path, {}, **STOP).commands


def test_the_shortest_settling_time_passes(tmp_path: Path) -> None:
    """Exactly time-out, venue and margin is enough."""
    assert loaded(tmp_path, one(settle_ms=6_100)).commands


def test_a_command_topic_is_no_topic_of_feedbridges_own(tmp_path: Path) -> None:
    """Nor has it a name that Kafka refuses."""
    own = problem(tmp_path, {"feedbridge.dead-letter": LEAST})
    odd = problem(tmp_path, {"a b": LEAST})

    assert own.startswith("commands.feedbridge.dead-letter: is a topic of feedbridge's")
    assert odd.startswith("commands.a b: 'a b' is a name, but")


def test_each_command_topic_has_its_own_responses(tmp_path: Path) -> None:
    """Two journals in one topic would decide about each other's commands."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, {"a": LEAST, "b": LEAST})

    assert [line.partition(": ")[0] for line in caught.value.problems] == [
        "commands.a.responses",
        "commands.b.responses",
    ]
    assert "is given 2 times" in caught.value.problems[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"user_timeout_ms": 6_000, "settle_ms": 10_001},
        {"orders_per_second": 5, "max_waiting": 7},
        {"max_rejections": 3, "rejection_pause_s": 9},
        {"answer_timeout_ms": 100},
    ],
)
def test_an_account_has_the_same_guards_on_all_its_topics(
    tmp_path: Path, changes: TREE
) -> None:
    """One connection has one time-out, and no topic's guard is silently left out."""
    with pytest.raises(ConfigError) as caught:
        loaded(
            tmp_path, {TOPIC: LEAST, "second": {**LEAST, "responses": "r"} | changes}
        )

    told = [line.partition(": ") for line in caught.value.problems]
    assert {path for path, _, _ in told} == {f"commands.second.{n}" for n in changes}
    assert all(f"for {TOPIC}; both send through" in text for _, _, text in told)


def test_accounts_apart_may_have_guards_of_their_own(tmp_path: Path) -> None:
    """Nothing is shared between two accounts; what is no guard may differ anyway."""
    other = {"responses": "r", "accounts": ["desk-b"], "orders_per_second": 5}
    same = {**LEAST, "responses": "s", "dry_run": True, "claim_lifetime_ms": 100}
    for name in ("key", "secret"):
        (tmp_path / name).write_text(name)
    files = {f"{name}_file": str(tmp_path / name) for name in ("key", "secret")}
    two = {"desk-a": WATCHED, "desk-b": {**WATCHED, **files}}
    topics = {TOPIC: LEAST, "second": other, "third": same}

    assert len(loaded(tmp_path, topics, finery=two).commands) == 3


def test_retention_of_all_topics_must_cover_the_window(tmp_path: Path) -> None:
    """What is forgotten could be sent twice."""
    found = problem(tmp_path, one(), topics={"retention_hours": 1})

    assert found.startswith("topics.retention_hours: 1 h are shorter")
    longer = loaded(
        tmp_path, one(retention_hours=2), topics={"retention_hours": 1}
    ).commands[TOPIC]
    assert longer.retention_hours == 2


def test_what_has_no_default_must_be_there(tmp_path: Path) -> None:
    """A topic without responses and accounts is told both at once."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, {TOPIC: {}})

    assert set(caught.value.problems) == {
        f"commands.{TOPIC}.responses: is missing; add it",
        f"commands.{TOPIC}.accounts: is missing; add it",
    }
