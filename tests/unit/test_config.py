"""Settings: every problem at once, secrets never shown, the environment wins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from bridge.config import Settings, load
from bridge.config.environment import shape, variable, variables
from bridge.config.ownership import Ownership
from bridge.config.tree import Settings as Tree
from bridge.errors import ConfigError
from bridge.verbs import reference

ROOT = Path(__file__).parents[2]
LOGIN = {
    "FEEDBRIDGE_FINERY__DESK_A__KEY": "k3y",
    "FEEDBRIDGE_FINERY__DESK_A__SECRET": "s3cret",
}
MINIMAL = {"finery": {"desk-a": {"subscriptions": ["book.tradable:BTC-USD"]}}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def write(file: Path, tree: object) -> Path:
    file.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree))
    return file


def problems(file: Path, tree: object, environ: Mapping[str, str] = LOGIN) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(write(file, tree), environ)
    return caught.value.problems


def only(file: Path, more: object, environ: Mapping[str, str] = LOGIN) -> str:
    assert isinstance(more, dict)
    found = problems(file, MINIMAL | more, environ)
    assert len(found) == 1, found
    return found[0]


def test_the_least_settings_are_enough(file: Path) -> None:
    """One account with a login and a subscription is all that has no default."""
    settings = load(write(file, MINIMAL), LOGIN)
    [source] = settings.sources()
    login = settings.credentials(source)

    assert source.name == "desk-a"
    assert [w.name for w in source.wanted] == ["book.tradable:BTC-USD"]
    assert (login.key, login.secret) == ("k3y", "s3cret")
    assert settings.kafka.bootstrap_servers == "localhost:9092"


def test_the_environment_wins_over_the_file(file: Path) -> None:
    """A variable replaces what the file says, and leaves its neighbours alone."""
    tree = MINIMAL | {"kafka": {"queue_megabytes": 8, "queue_messages": 5000}}
    environ = LOGIN | {"FEEDBRIDGE_KAFKA__QUEUE_MEGABYTES": "16"}
    kafka = load(write(file, tree), environ).kafka

    assert (kafka.queue_megabytes, kafka.queue_messages) == (16, 5000)


def test_the_file_may_be_named_in_the_environment(file: Path) -> None:
    """FEEDBRIDGE_CONFIG stands for --config."""
    write(file, MINIMAL)

    assert load(None, LOGIN | {"FEEDBRIDGE_CONFIG": str(file)}).finery


def test_the_environment_alone_is_enough() -> None:
    """Everything can be set without a file, lists comma-separated or as JSON."""
    environ = LOGIN | {
        "FEEDBRIDGE_FINERY__DESK_A__SUBSCRIPTIONS": "orders, book.tradable:BTC-USD",
        "FEEDBRIDGE_KAFKA__OPTIONS__LINGER_MS": "7",
        "FEEDBRIDGE_KAFKA__OPTIONS": '{"compression.type": "zstd"}',
        "FEEDBRIDGE_CFBENCHMARKS__RATES__USER": "u",
        "FEEDBRIDGE_CFBENCHMARKS__RATES__PASSWORD": "123456",
        "FEEDBRIDGE_CFBENCHMARKS__RATES__SUBSCRIPTIONS": '["value:BRTI"]',
    }
    settings = load(None, environ)
    wanted = {s.name: [w.name for w in s.wanted] for s in settings.sources()}

    assert wanted == {
        "desk_a": ["orders", "book.tradable:BTC-USD"],
        "rates": ["value:BRTI"],
    }
    assert settings.kafka.options == {"linger.ms": "7", "compression.type": "zstd"}
    assert "123456" in settings.secrets()


def test_numbers_and_truth_values_of_librdkafka_become_its_texts(file: Path) -> None:
    """The library takes texts, whatever YAML makes of a value."""
    options = {"linger.ms": 5, "socket.keepalive.enable": True}
    settings = load(write(file, MINIMAL | {"kafka": {"options": options}}), LOGIN)

    assert settings.kafka.properties() == {
        "bootstrap.servers": "localhost:9092",
        "linger.ms": "5",
        "socket.keepalive.enable": "true",
    }


def test_options_of_a_subscription_reach_the_venue(file: Path) -> None:
    """An object names the subscription and the venue's own options."""
    asked = {
        "subscription": "book.viewonly:BTC-USD",
        "label": "few",
        "makers": [1, 2],
        "stale_after_s": 1.5,
    }
    settings = load(
        write(file, {"finery": {"desk-a": {"subscriptions": [asked]}}}), LOGIN
    )
    [wanted] = settings.sources()[0].wanted

    assert wanted.name == "book.viewonly:BTC-USD#few"
    assert wanted.stale_after_ms == 1500
    assert wanted.options == {"makers": (1, 2)}


def test_all_problems_are_listed_at_once(file: Path) -> None:
    """Names, types, secrets, collisions: one run shows them all."""
    tree = {
        "kafka": {"bootstrap_server": "x:1", "queue_megabytes": "lots"},
        "finery": {
            "desk-a": {"subscriptions": ["book.tradable:BTC-USD", 5]},
            "desk-b": {"subscriptions": ["orders"], "sekret": "hunter2"},
        },
        "cfbenchmarks": {
            "desk-a": {"password": "hunter3", "subscriptions": ["value:BRTI"]}
        },
        "stop": {"grace_seconds": 1},
        "toppics": {},
    }
    environ = LOGIN | {
        "FEEDBRIDGE_KAFKA_BOOTSTRAP_SERVERS": "x",
        "FEEDBRIDGE_TYPO": "hunter4",
        "FEEDBRIDGE_LOG__LEVLE": "info",
    }
    found = problems(file, tree, environ)
    paths = {line.partition(": ")[0] for line in found}

    assert paths == {
        "kafka.bootstrap_server",
        "kafka.queue_megabytes",
        "finery.desk-a.subscriptions.1",
        "finery.desk-b.sekret",
        "finery.desk-b.key",
        "finery.desk-b.secret",
        "cfbenchmarks.desk-a",
        "cfbenchmarks.desk-a.password",
        "cfbenchmarks.desk-a.user",
        "stop.grace_seconds",
        "toppics",
        "FEEDBRIDGE_KAFKA_BOOTSTRAP_SERVERS",
        "FEEDBRIDGE_TYPO",
        "FEEDBRIDGE_LOG__LEVLE",
    }
    assert len(found) == len(paths)
    assert "hunter" not in "\n".join(found)


def test_ownership_may_be_one_word(tmp_path: Path) -> None:
    """The word is the mode, and variables may add to it."""
    file = tmp_path / "settings.yaml"
    file.write_text("ownership: group\nfinery: {a: {subscriptions: [instruments]}}\n")
    more = {"FEEDBRIDGE_OWNERSHIP__PARTITIONS": "48"}

    found = load(file, more, venues=False).ownership

    assert (found.mode, found.partitions) == ("group", 48)
    word = {"FEEDBRIDGE_OWNERSHIP": "static"}
    assert load(file, word, venues=False).ownership.mode == "static"


def test_only_the_older_protocol_takes_times() -> None:
    """Librdkafka refuses them with KIP-848, where the broker decides."""
    ownership = Ownership(session_timeout_s=9)

    found = ownership.properties({"client.id": "x"})

    assert found["session.timeout.ms"] == "9000"
    assert found["heartbeat.interval.ms"] == "1500"
    newer = {"group.protocol": "Consumer"}
    assert ownership.properties(newer) == newer
    assert ownership.lease_s == 7.5


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"kafka": {"option": {}}},
         "kafka.option: no such setting; did you mean options?"),
        ({"kafak": {}}, "kafak: no such setting; did you mean kafka?"),
        ({"log": {"level": "loud"}},
         "log.level: 'loud' was seen; give 'debug', 'info', 'warning' or 'error'"),
        ({"log": ["info"]}, "log: a list was seen; give a mapping of settings"),
        ({"books": {"refresh_seconds": 0}},
         "books.refresh_seconds: 0 was seen; give at least 1"),
        ({"kafka": {"queue_messages": 2.5}},
         "kafka.queue_messages: 2.5 was seen; give a whole number"),
        ({"topics": {"create": "perhaps"}},
         "topics.create: 'perhaps' was seen; give true or false"),
        ({"ownership": "groups"},
         "ownership.mode: 'groups' was seen; give 'static' or 'group'"),
        ({"kafka": {"options": {"acks": 1}}},
         ("kafka.options.acks: is feedbridge's own; remove it; every record waits for "
         "all replicas")),
        ({"topics": {"template": "{venue}"}},
         "topics.template: '{venue}' mixes streams; add {stream}"),
        ({"topics": {"dead_letter": "a b"}},
         ("topics.dead_letter: 'a b' is a name, but a topic name has only letters, "
         "digits, dot, underscore and hyphen")),
        ({"topics": {"dead_letter": "x", "feed_state": "x"}},
         "topics.feed_state: is the topic of dead_letter, too"),
        ({"topics": {"overrides": {"cfbenchmarks.valeu": {}}}},
         ("topics.overrides.cfbenchmarks.valeu: no such stream; did you mean "
         "cfbenchmarks.value?")),
        ({"registry": {"url": "registry:8081"}},
         "registry.url: is not an address; begin with http:// or https:// and a host"),
        ({"registry": {"username": "me"}},
         "registry.username: set name and password, or none"),
        ({"dead_letter": {"part_kilobytes": 1000}},
         ("dead_letter.part_kilobytes: 1000 kB do not fit into a message of 1000000 "
         "bytes; lower it, or raise message.max.bytes in kafka.options")),
        ({"transport": {"ping_timeout_s": 90}},
         ("transport.ping_timeout_s: a dead connection would be noticed after the 80 s "
         "for which a venue waits; lower it, or ping_interval_s")),
        ({"transport": {"ca_file": "/no/such/file"}},
         ("transport.ca_file: /no/such/file cannot be read: No such file or directory; "
         "check the path")),
        ({"kafka": {"option_files": {"sasl.password": "/no/such/file"}}},
         ("kafka.option_files.sasl.password: /no/such/file cannot be read: No such "
         "file or directory; check the path")),
    ],
)  # fmt: skip
def test_a_problem_says_where_what_and_what_to_do(
    file: Path, more: object, line: str
) -> None:
    """A line is the setting's path, what was seen, and what to do."""
    assert only(file, more) == line


@pytest.mark.parametrize(
    "path",
    ["finery.desk-a.secret", "kafka.options.sasl.password", "registry.password"],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(file: Path, path: str) -> None:
    """The line says which variable or file setting takes the secret instead."""
    tree = {
        "finery": {"desk-a": {"secret": "hunter2", "subscriptions": ["orders"]}},
        "kafka": {"options": {"sasl.password": "hunter2"}},
        "registry": {"password": "hunter2"},
    }
    found = problems(file, tree)
    [line] = [line for line in found if line.startswith(f"{path}: ")]

    assert variable(path) in line
    assert "hunter2" not in "\n".join(found)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path, file: Path) -> None:
    """A mounted file is read for each login, so that it may be rotated."""
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    part = {"secret_file": str(secret), "subscriptions": ["orders"]}
    environ = {"FEEDBRIDGE_FINERY__DESK_A__KEY": "k"}
    settings = load(write(file, {"finery": {"desk-a": part}}), environ)
    [source] = settings.sources()

    assert settings.credentials(source).secret == "first"
    secret.write_text("second")
    assert settings.credentials(source).secret == "second"


def test_secrets_are_in_no_text_of_the_settings(file: Path) -> None:
    """Neither repr nor a dump of the settings shows a secret."""
    environ = LOGIN | {"FEEDBRIDGE_KAFKA__OPTIONS__SASL_PASSWORD": "s3cret-too"}
    settings = load(write(file, MINIMAL), environ)

    assert "s3cret" not in repr(settings)
    assert "k3y" not in repr(settings)
    assert set(settings.secrets()) == {"k3y", "s3cret", "s3cret-too"}


def test_a_value_and_a_file_exclude_each_other(tmp_path: Path, file: Path) -> None:
    """Two places for one secret are a problem, not a choice."""
    secret = tmp_path / "secret"
    secret.write_text("x")
    environ = LOGIN | {"FEEDBRIDGE_FINERY__DESK_A__SECRET_FILE": str(secret)}

    assert problems(file, MINIMAL, environ) == [
        "finery.desk-a.secret: is set beside secret_file; keep one of them"
    ]


def test_a_secret_file_that_is_not_there_is_a_problem(file: Path) -> None:
    """The line names the setting that leads to the file."""
    environ = {
        "FEEDBRIDGE_FINERY__DESK_A__KEY": "k",
        "FEEDBRIDGE_FINERY__DESK_A__SECRET_FILE": "/no/such/file",
    }

    assert problems(file, MINIMAL, environ) == [
        (
            "finery.desk-a.secret_file: /no/such/file cannot be read: No such file or "
            "directory; check the path"
        )
    ]


def test_logins_may_be_missing_where_no_venue_is_spoken_to(file: Path) -> None:
    """`tail` and `verify` need neither accounts nor logins."""
    assert load(write(file, MINIMAL), {}, venues=False).finery
    assert load(None, {}, venues=False).sources() == []


def test_a_worker_needs_an_account(file: Path) -> None:
    """Without accounts there is nothing to run."""
    assert problems(file, {}, {}) == [
        "finery, cfbenchmarks: no account is set; add one with its subscriptions"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "line 1, column 5: expected the node content"),
        ("finery: {}\nfinery: {}\n", "line 2, column 1: finery stands here a second"),
        ("- a\n", "is not a mapping"),
    ],
)
def test_a_file_that_is_no_settings_is_a_problem(
    file: Path, text: str, words: str
) -> None:
    """YAML errors are told with line and column; a doubled key is one."""
    assert words in problems(file, text, {})[0]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """A wrong path is told, not taken for an empty file."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.yaml", {})


def test_an_empty_section_means_its_defaults(file: Path) -> None:
    """`kafka:` with nothing below is what is left after commenting lines out."""
    text = yaml.safe_dump(MINIMAL) + "kafka:\n"

    assert load(write(file, text), LOGIN).kafka.queue_megabytes == 64


def test_the_ports_variable_is_not_taken_for_a_services(file: Path) -> None:
    """Kubernetes would set FEEDBRIDGE_HTTP_PORT; two underscores make a setting."""
    variables = {"FEEDBRIDGE_HTTP__PORT": "0", "FEEDBRIDGE_HTTP_PORT": "tcp://1:80"}

    assert load(write(file, MINIMAL), LOGIN | variables).http.port == 0


@pytest.mark.parametrize(
    "name",
    [
        "FEEDBRIDGE_SERVICE_HOST",
        "FEEDBRIDGE_SERVICE_PORT_HTTP",
        "FEEDBRIDGE_PORT",
        "FEEDBRIDGE_PORT_8080_TCP_ADDR",
        "FEEDBRIDGE_METRICS_PORT_9090_TCP",
    ],
)
def test_variables_of_kubernetes_services_are_no_settings(
    file: Path, name: str
) -> None:
    """A Service called feedbridge must not keep its own pods from starting."""
    assert load(write(file, MINIMAL), LOGIN | {name: "x"}).finery


@pytest.mark.parametrize(
    "name",
    [
        "FEEDBRIDGE_",
        "FEEDBRIDGE_KAFKA__",
        "FEEDBRIDGE_KAFKA__QUEUE_MEGABYTES__X",
        "FEEDBRIDGE_KAFKA__OPTIONS__A__B",
        "FEEDBRIDGE_FINERY__",
        "FEEDBRIDGE_FINERY__DESK_A__SEKRET",
        "feedbridge_typo",
    ],
)
def test_a_misspelt_variable_is_a_problem(file: Path, name: str) -> None:
    """No variable with our prefix is ignored, at whatever depth it is wrong."""
    [line] = problems(file, MINIMAL, LOGIN | {name: "hunter2"})

    assert line.startswith(f"{name}: no such setting")
    assert "hunter2" not in line


def test_a_variable_that_cannot_be_read_is_a_problem(file: Path) -> None:
    """Mappings in a variable are JSON or YAML."""
    [line] = problems(file, MINIMAL, LOGIN | {"FEEDBRIDGE_KAFKA__OPTIONS": "{"})

    assert line.startswith("FEEDBRIDGE_KAFKA__OPTIONS: is neither JSON nor YAML")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"subscriptions": []}, "is empty; name at least one subscription"),
        ({"subscriptions": ["value:BRTI", "value:BRTI"]}, "value:BRTI: is asked for"),
        ({"subscriptions": ["valeu:BRTI"]}, "is not a stream of CF Benchmarks"),
        ({"subscriptions": ["value:BRTI"], "url": "https://x"}, "is not an address"),
        ({"subscriptions": ["value:BRTI"], "url": "wss://u:p@x/"}, "holds a login"),
        ({"subscriptions": ["value:BRTI"], "url": "wss://[/"}, "is not an address"),
    ],
)
def test_an_account_that_cannot_work_is_refused(
    file: Path, part: object, words: str
) -> None:
    """Addresses and subscriptions are checked before anything is opened."""
    environ = {
        "FEEDBRIDGE_CFBENCHMARKS__RATES__USER": "u",
        "FEEDBRIDGE_CFBENCHMARKS__RATES__PASSWORD": "p",
    }
    [line] = problems(file, {"cfbenchmarks": {"rates": part}}, environ)

    assert words in line
    assert "u:p" not in line


def test_too_many_connections_to_one_host_are_refused(file: Path) -> None:
    """The venue's limit of connections from one address holds by construction."""
    ids = [f"value:X{n}" for n in range(100)]
    parts = {f"r{n}": {"subscriptions": ids} for n in range(101)}
    environ = {
        f"FEEDBRIDGE_CFBENCHMARKS__{name.upper()}__{word}": "x"
        for name in parts
        for word in ("USER", "PASSWORD")
    }
    [line] = problems(file, {"cfbenchmarks": parts}, environ)

    assert "101 connections to www.cfbenchmarks.com are needed and 100 allowed" in line
    shared = {"cfbenchmarks": parts, "ownership": "group"}
    assert load(write(file, shared), environ).ownership.mode == "group"
    few = {"cfbenchmarks": parts, "transport": {"workers_per_address": 2}}
    assert "and 50 allowed" in problems(file, few, environ)[0]


def test_two_streams_in_one_topic_are_refused(file: Path) -> None:
    """A topic has one schema."""
    part = {"subscriptions": ["value:BRTI", "rti-stats:BRTI"]}
    tree = {
        "cfbenchmarks": {"rates": part},
        "topics": {"feed_state": "cfbenchmarks.value"},
    }
    environ = {
        "FEEDBRIDGE_CFBENCHMARKS__RATES__USER": "u",
        "FEEDBRIDGE_CFBENCHMARKS__RATES__PASSWORD": "p",
    }

    assert problems(file, tree, environ) == [
        "topics.template: cfbenchmarks.value is a topic of feedbridge's own"
    ]


def test_settings_built_by_hand_read_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only `load` looks at the environment."""
    monkeypatch.setenv("FEEDBRIDGE_KAFKA__QUEUE_MEGABYTES", "3")
    monkeypatch.setenv("KAFKA", "{}")

    assert Settings().kafka.queue_megabytes == 64


@pytest.mark.parametrize("name", ["minimal", "full", "tls-sasl"])
def test_the_examples_are_valid(name: str, tmp_path: Path) -> None:
    """Each example loads once its files exist."""
    text = (ROOT / "examples" / f"{name}.yaml").read_text()
    for place in ("/run/secrets/", "/etc/feedbridge/"):
        text = text.replace(place, f"{tmp_path}/")
    for line in text.splitlines():
        path = line.partition(": ")[2]
        if path.startswith(str(tmp_path)):
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text("content")
    (tmp_path / "settings.yaml").write_text(text)

    assert load(
        tmp_path / "settings.yaml", LOGIN if name == "minimal" else {}
    ).sources()


def test_the_reference_page_is_up_to_date() -> None:
    """docs/settings.md is what the descriptions say."""
    assert (ROOT / "docs" / "settings.md").read_text() == reference.page() + "\n"


def test_every_setting_is_described() -> None:
    """A setting has a description and an example."""
    for title, model, _ in reference.sections_of(Tree, ""):
        for name, field in model.model_fields.items():
            inner = shape(field.annotation).kind == "section"
            assert inner or (field.description and field.examples), f"{title}.{name}"


def test_names_of_variables_are_known_for_hints() -> None:
    """The hint for a misspelt variable knows the accounts of the file."""
    known = variables(Tree, {"finery": {"desk-a": {}}})

    assert "FEEDBRIDGE_FINERY__DESK_A__SECRET_FILE" in known
    assert "FEEDBRIDGE_KAFKA__QUEUE_MEGABYTES" in known


def test_a_login_that_the_venue_cannot_carry_is_told_before_it_is_sent(
    file: Path,
) -> None:
    """What cannot stand in a sub-protocol is refused with the way out, unseen."""
    rates = {"subscriptions": ["value:BRTI"], "login": "subprotocol"}
    login = {
        "FEEDBRIDGE_CFBENCHMARKS__RATES__USER": "some user",
        "FEEDBRIDGE_CFBENCHMARKS__RATES__PASSWORD": "pass-word",
    }
    [found] = problems(file, {"cfbenchmarks": {"rates": rates}}, login)

    assert found.startswith("cfbenchmarks.rates: user")
    assert "login: basic" in found
    assert "some user" not in found


def test_one_venue_alone_needs_no_venue_in_the_template(file: Path) -> None:
    """Only topics that two venues would share are refused."""
    settings = load(
        write(file, MINIMAL | {"topics": {"template": "desk.{stream}"}}), LOGIN
    )

    assert settings.topics.template == "desk.{stream}"
