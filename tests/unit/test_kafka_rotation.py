"""Kafka's credentials under watch: what is seen, proved, and taken up by whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bridge.app import kafka_rotation as rotation
from bridge.app.kafka_rotation import KafkaRotation
from bridge.config.kafka import Kafka
from bridge.edge.clock import Clock, SystemClock
from bridge.edge.kafka_options import KafkaClient, Options
from bridge.errors import ConfigError, KafkaError
from tests.support.running import Run

SCRAM = {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512"}


class Client:
    """Writes down what it is told to take up."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.options: Options = {}

    def renew(self, options: Options) -> None:
        self.told.append(("renew",))
        self.options = options

    def login(self, user: str, password: str) -> None:
        self.told.append(("login", user, password))


class Brokers:
    """Stands in for `Admin`, and lets in whom it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[Options] = []

    def __call__(self, options: Options, _clock: Clock) -> Brokers:
        self.asked.append(options)
        if isinstance(self.error, ConfigError):
            raise self.error
        return self

    async def partition_counts(self, _: Sequence[str], __: float) -> dict[str, int]:
        if self.error is not None:
            raise self.error
        return {}


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    made = Brokers()
    monkeypatch.setattr(rotation, "Admin", made)
    return made


class Desk:
    """A rotation over two clients, its files, and the secrets it hid."""

    def __init__(self, folder: Path, **options: str) -> None:
        self.folder = folder
        self.one, self.two = Client(), Client()
        self.hidden: list[str] = []
        for name in ("password", "user", "ca", "key"):
            self.write(name, f"first {name}")
        section = Kafka(
            options={
                **SCRAM,
                "ssl.ca.location": str(folder / "ca"),
                "ssl.key.location": str(folder / "key"),
                **{name.replace("_", "."): text for name, text in options.items()},
            },
            option_files={
                "sasl.password": folder / "password",
                "sasl.username": folder / "user",
            },
        )
        self.rotation = KafkaRotation(
            section, self.clients, SystemClock(), self.hidden.append
        )

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text + "\n")

    def clients(self, options: dict[str, str]) -> Iterator[tuple[KafkaClient, Options]]:
        yield self.one, options
        yield self.two, {**options, "linger.ms": 0}


def test_a_look_shows_every_change(tmp_path: Path) -> None:
    """The first shows what is in use; password, name, certificate and key count."""
    desk = Desk(tmp_path)
    desk.write("password", "changed before the first look")
    seen = [desk.rotation.look()]
    for name in ("password", "user", "ca", "key"):
        seen.append(desk.rotation.look())
        desk.write(name, f"second {name}")
    seen.append(desk.rotation.look())
    assert len(set(seen)) == len(seen)
    assert desk.rotation.look() == seen[-1]


def test_a_look_takes_a_folder_of_certificates(tmp_path: Path) -> None:
    """A folder counts with all its files, and `probe` names none."""
    folder = tmp_path / "cas"
    (folder / "..data").mkdir(parents=True)
    desk = Desk(tmp_path, ssl_ca_location=str(folder), ssl_key_location="probe")
    before = desk.rotation.look()
    assert desk.rotation.look() == before
    (folder / "one.pem").write_text("a certificate")
    assert desk.rotation.look() != before


def test_a_file_that_is_away_is_an_error(tmp_path: Path) -> None:
    """A look raises what `flow.rotation` tells of; a renewal names the file."""
    desk = Desk(tmp_path)
    desk.rotation.look()
    (tmp_path / "key").unlink()
    with pytest.raises(OSError, match="key"):
        desk.rotation.look()


def test_a_new_password_disturbs_nothing(
    tmp_path: Path, brokers: Brokers, run: Run
) -> None:
    """It is hidden, proved, and given to every client for its next login."""
    desk = Desk(tmp_path)
    desk.write("password", "second")
    desk.write("user", "bob")
    run(desk.rotation.renew())
    assert desk.one.told == desk.two.told == [("login", "bob", "second")]
    assert brokers.asked[0]["sasl.password"] == "second"
    assert desk.hidden == ["second", "bob"]
    run(desk.rotation.renew())
    assert len(desk.one.told) == len(brokers.asked) == 1


@pytest.mark.parametrize("name", ["ca", "key"])
def test_new_files_need_new_clients(
    tmp_path: Path, brokers: Brokers, run: Run, name: str
) -> None:
    """Each client is made anew, with the properties that are its own."""
    desk = Desk(tmp_path)
    desk.write(name, "second")
    desk.write("password", "second")
    run(desk.rotation.renew())
    assert desk.one.told == desk.two.told == [("renew",)]
    assert desk.two.options["sasl.password"] == "second"
    assert desk.two.options["linger.ms"] == 0
    assert brokers.error is None


def test_a_login_without_password_needs_new_clients(
    tmp_path: Path, brokers: Brokers, run: Run
) -> None:
    """Only PLAIN and SCRAM take a password under way."""
    desk = Desk(tmp_path, sasl_mechanism="OAUTHBEARER")
    desk.write("password", "second")
    run(desk.rotation.renew())
    assert desk.one.told == [("renew",)]
    assert len(brokers.asked) == 1


@pytest.mark.parametrize(
    "error",
    [KafkaError("no broker answered (_AUTHENTICATION)"), ConfigError(["no key in it"])],
)
def test_what_does_not_work_is_refused(
    tmp_path: Path, brokers: Brokers, run: Run, error: Exception
) -> None:
    """No client hears of it; the next attempt may succeed."""
    desk = Desk(tmp_path)
    desk.write("password", "second")
    brokers.error = error
    with pytest.raises(KafkaError, match=r"the old ones stay: no (broker|key)"):
        run(desk.rotation.renew())
    assert desk.one.told == []
    brokers.error = None
    run(desk.rotation.renew())
    assert desk.one.told == [("login", "first user", "second")]


def test_a_file_that_goes_away_meanwhile_is_refused(
    tmp_path: Path, brokers: Brokers, run: Run
) -> None:
    """It is Kafka's error, which the watch tries again."""
    desk = Desk(tmp_path)
    (tmp_path / "ca").unlink()
    with pytest.raises(KafkaError, match="cannot be read"):
        run(desk.rotation.renew())
    assert brokers.asked == []
