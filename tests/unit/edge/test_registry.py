"""The registry is asked for exactly our schema, and its refusals are told apart."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.core.model import Note
from bridge.edge.registry import Login, Registry, subject_of, wait_for_ids
from bridge.errors import ConfigError, RegistryUnreachable, SchemaError
from tests.support.running import Run
from tests.unit.edge.registry_stand import (
    ABSENT_SCHEMA,
    ABSENT_SUBJECT,
    Stand,
    standing,
)

TEXT = '{"type": "record", "name": "Probe", "fields": []}'
SECRET = "correct horse"
FOUND = (200, {"id": 5, "subject": "t-value", "version": 1, "schema": TEXT})


@pytest.fixture
def stand() -> Iterator[Stand]:
    """Run a registry that has no schema yet and accepts any."""
    with standing() as made:
        yield made


@pytest.fixture
def registry(stand: Stand) -> Iterator[Registry]:
    """Open a client of the stand."""
    made = Registry(Login(stand.url, "anna", SECRET, timeout_s=5))
    yield made
    made.close()


def test_subjects_follow_the_topic_name_strategy() -> None:
    """A topic's values have the subject `<topic>-value`."""
    assert subject_of("finery.book.tradable") == "finery.book.tradable-value"


def test_the_id_is_that_of_exactly_our_schema(stand: Stand, registry: Registry) -> None:
    """The lookup sends our text; the latest version is never asked for."""
    stand.answers["/subjects/"] = FOUND

    assert registry.ids({"t-value": TEXT}) == {"t-value": 5}

    (asked,) = stand.asked
    assert (asked.method, stand.paths()) == ("POST", ["/subjects/t-value"])
    assert asked.body["schema"] == TEXT


def test_the_login_is_sent_as_basic_authentication(
    stand: Stand, registry: Registry
) -> None:
    """Name and password arrive, colon and blank included."""
    stand.answers["/subjects/"] = FOUND
    registry.lookup("t-value", TEXT)
    kind, _, coded = (stand.asked[0].login or "").partition(" ")
    assert (kind, base64.b64decode(coded)) == ("Basic", b"anna:" + SECRET.encode())


@pytest.mark.parametrize("answer", [ABSENT_SUBJECT, ABSENT_SCHEMA])
def test_a_missing_schema_names_the_command(
    stand: Stand, registry: Registry, answer: tuple[int, Any]
) -> None:
    """Without auto_register, a schema that is not there says what to do."""
    stand.answers["/subjects/"] = answer
    with pytest.raises(SchemaError, match="`feedbridge schemas register`") as refused:
        registry.ids({"t-value": TEXT})
    assert refused.value.code == "SCHEMA_NOT_REGISTERED"
    assert registry.find("t-value", TEXT) is None


def test_auto_register_checks_before_it_registers(
    stand: Stand, registry: Registry
) -> None:
    """What is missing is looked up, checked for compatibility, then registered."""
    assert registry.ids({"t-value": TEXT}, auto_register=True) == {"t-value": 21}
    assert stand.paths() == [
        "/subjects/t-value",
        "/compatibility/subjects/t-value/versions/latest",
        "/subjects/t-value/versions",
    ]


def test_auto_register_leaves_registered_schemas_alone(
    stand: Stand, registry: Registry
) -> None:
    """A schema that is there is looked up, and nothing else."""
    stand.answers["/subjects/"] = FOUND
    assert registry.ids({"t-value": TEXT}, auto_register=True) == {"t-value": 5}
    assert stand.paths() == ["/subjects/t-value"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/compatibility/", (200, {"is_compatible": False})),
        ("/versions", (409, {"error_code": 409, "message": "incompatible"})),
    ],
)
def test_an_incompatible_schema_is_refused(
    stand: Stand, registry: Registry, path: str, answer: tuple[int, Any]
) -> None:
    """Incompatibility is told apart, whether the check or the registration finds it."""
    stand.answers["/compatibility/"] = (200, {"is_compatible": True})
    stand.answers[path] = answer
    with pytest.raises(SchemaError, match="not compatible") as refused:
        registry.register("t-value", TEXT)
    assert refused.value.code == "SCHEMA_INCOMPATIBLE"
    checked_only = "/compatibility/" in path
    assert (stand.paths()[-1] != "/subjects/t-value/versions") is checked_only


def test_the_first_schema_of_a_subject_is_compatible(
    stand: Stand, registry: Registry
) -> None:
    """A check that finds no such subject does not stop a registration."""
    stand.answers["/compatibility/"] = ABSENT_SUBJECT
    assert registry.register("t-value", TEXT) == 21


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, {"error_code": 40101, "message": "no"}, SchemaError, "UNAUTHORISED"),
        (403, {"error_code": 40301, "message": "no"}, SchemaError, "UNAUTHORISED"),
        (404, {"error_code": 404, "message": "no"}, SchemaError, "MISSPOKE"),
        (404, b"<html>", SchemaError, "MISSPOKE"),
        (200, b"<html>", SchemaError, "MISSPOKE"),
        (200, {}, SchemaError, "MISSPOKE"),
        (400, {"error_code": 400, "message": "no"}, SchemaError, "MISSPOKE"),
        (422, {"error_code": 42201, "message": "no"}, SchemaError, "REFUSED"),
        (408, {"error_code": 408, "message": "no"}, RegistryUnreachable, "UNREACHABLE"),
        (429, {"error_code": 429, "message": "no"}, RegistryUnreachable, "UNREACHABLE"),
        (
            500,
            {"error_code": 50001, "message": "no"},
            RegistryUnreachable,
            "UNREACHABLE",
        ),
        (503, b"busy", RegistryUnreachable, "UNREACHABLE"),
    ],
)
def test_each_refusal_has_its_own_code(
    stand: Stand,
    registry: Registry,
    status: int,
    body: Any,
    kind: type[SchemaError],
    code: str,
) -> None:
    """A person can act on the code; only what waiting may heal is retried."""
    stand.answers["/subjects/"] = (status, body)
    with pytest.raises(SchemaError) as refused:
        registry.lookup("t-value", TEXT)
    assert type(refused.value) is kind
    assert refused.value.code.endswith(code)
    assert refused.value.retry is (kind is RegistryUnreachable)
    assert refused.value.__cause__ is not None
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("status", [422, 429, 503])
def test_an_error_page_is_told_in_part(
    stand: Stand, registry: Registry, status: int
) -> None:
    """What stands before a registry may answer with pages of any length."""
    stand.answers["/subjects/"] = (status, b"<html>" + b"x" * 100_000)
    with pytest.raises(SchemaError) as refused:
        registry.lookup("t-value", TEXT)
    assert "<html>xxx" in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_registry_that_is_away_is_unreachable() -> None:
    """A closed port raises RegistryUnreachable at once, without waiting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    away = Registry(Login(f"http://127.0.0.1:{port}", timeout_s=5))
    with pytest.raises(RegistryUnreachable, match=str(port)):
        away.lookup("t-value", TEXT)
    away.close()


def test_a_silent_registry_is_unreachable() -> None:
    """A server that accepts and never answers runs into the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        mute = Registry(Login(f"http://127.0.0.1:{port}", timeout_s=0.1))
        with pytest.raises(RegistryUnreachable):
            mute.lookup("t-value", TEXT)
        mute.close()


def test_schemas_are_read_by_id(stand: Stand, registry: Registry) -> None:
    """A consumer finds a writer's schema by the id that its records carry."""
    stand.answers["/schemas/ids/"] = (200, {"schema": TEXT})
    assert registry.schema(5) == {"type": "record", "name": "Probe", "fields": []}
    stand.answers["/schemas/ids/"] = ABSENT_SCHEMA
    with pytest.raises(SchemaError, match="schema id 6"):
        registry.schema(6)


@pytest.mark.parametrize(
    "url", ["registry:8081", "mock://x", f"https://anna:{SECRET}@registry", ""]
)
def test_wrong_addresses_are_settings_errors(url: str) -> None:
    """An address that is not http(s), or has a login in it, is refused unshown."""
    with pytest.raises(ConfigError, match=r"registry\.url") as refused:
        Registry(Login(url))
    assert SECRET not in str(refused.value)


def test_a_wrong_ca_file_is_a_settings_error(tmp_path: Path) -> None:
    """A CA file that is absent or no certificate names the setting."""
    no_certificate = tmp_path / "ca.pem"
    no_certificate.write_text("no certificate")
    for path in (tmp_path / "absent.pem", no_certificate):
        with pytest.raises(ConfigError, match=r"registry\.ca_file"):
            Registry(Login("https://127.0.0.1:1", ca_file=str(path)))


def test_a_login_shows_no_secret() -> None:
    """Neither name nor password appear when a login is printed."""
    shown = repr(Login("https://127.0.0.1", "anna", SECRET))
    assert "anna" not in shown
    assert SECRET not in shown


class _Flaky(Registry):
    """Fails with the given reasons, one each call, then answers."""

    def __init__(self, reasons: Sequence[str | RegistryUnreachable]) -> None:
        self._reasons = list(reasons)

    def ids(self, wanted: Any, *, auto_register: bool = False) -> dict[str, int]:  # type: ignore[explicit-override]
        if self._reasons:
            reason = self._reasons.pop(0)
            raise RegistryUnreachable(reason) if isinstance(reason, str) else reason
        return dict.fromkeys(wanted, 5)


async def _wait(
    registry: Registry, slept: list[float], tell: Callable[[Note], None]
) -> dict[str, int]:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return await wait_for_ids(
        registry,
        {"t-value": TEXT},
        auto_register=False,
        sleep=sleep,
        delay=lambda: 1.0 + len(slept),
        tell=tell,
    )


def test_waiting_says_so_once_for_each_change(run: Run) -> None:
    """Each new reason is told once, and the return once; delays come from outside."""
    told: list[Note] = []
    slept: list[float] = []
    flaky = _Flaky(["away", "away", "away", "500", "500"])

    ids = run(_wait(flaky, slept, told.append))

    assert ids == {"t-value": 5}
    assert [note.event for note in told] == [
        "registry_unreachable",
        "registry_unreachable",
        "registry_reachable",
    ]
    assert [note.facts.get("error") for note in told] == ["away", "500", None]
    assert slept == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_pages_that_differ_are_one_reason(run: Run) -> None:
    """An error page with a number of its own must not make a line each attempt."""
    told: list[Note] = []
    pages = [RegistryUnreachable(f"request {n}", 503) for n in range(3)]
    busy = [RegistryUnreachable("request 3", 429)]

    run(_wait(_Flaky([*pages, *busy]), [], told.append))

    assert [note.facts.get("error") for note in told] == [
        *("request 0", "request 3", None)
    ]


def test_a_registry_that_answers_is_not_worth_a_word(run: Run) -> None:
    """The usual start tells nothing."""
    told: list[Note] = []
    assert run(_wait(_Flaky([]), [], told.append)) == {"t-value": 5}
    assert told == []


def test_refusals_are_not_waited_for(
    stand: Stand, registry: Registry, run: Run
) -> None:
    """An answer that waiting cannot change ends the wait."""
    stand.answers["/subjects/"] = ABSENT_SUBJECT
    with pytest.raises(SchemaError, match="schemas register"):
        run(_wait(registry, [], lambda _: None))
