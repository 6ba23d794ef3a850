"""The two logins and what a refused upgrade means ("Authentication")."""

import pytest

from bridge.core.model import Now
from bridge.errors import ConfigError, VenueError, VenueRefused, VenueUnreachable
from bridge.venues.base import Credentials
from bridge.venues.cfbenchmarks import VENUE, auth
from tests.unit.venues.cfbenchmarks.talk import URL, context, source

ABC = Credentials(key="abc", secret="123")


def test_basic_is_the_default() -> None:
    """Without a choice the login is a Basic header and no sub-protocol."""
    plan = VENUE.plans(source("value:BRTI"))[0]
    shake = VENUE.open(plan, context()).handshake(Now(0, 0))
    assert shake == (URL, (("Authorization", "Basic YWJjOjEyMw=="),), ())


def test_subprotocols_in_the_documented_order() -> None:
    """The other login offers cfb, user name and password, in this order."""
    plan = VENUE.plans(source("value:BRTI", login="subprotocol"))[0]
    shake = VENUE.open(plan, context()).handshake(Now(0, 0))
    assert shake == (URL, (), ("cfb", "abc", "123"))


def test_basic_takes_any_characters() -> None:
    """Basic carries what no sub-protocol may have, as UTF-8."""
    shake = auth.basic(URL, Credentials(key="a b", secret="p:/=ü"))
    assert shake.headers == (("Authorization", "Basic YSBiOnA6Lz3DvA=="),)


@pytest.mark.parametrize(
    ("login", "key", "secret", "said"),
    [
        ("basic", "", "123", "user and password: both are needed"),
        ("basic", "abc", "", "user and password: both are needed"),
        ("basic", "a:b", "123", "user: holds a colon"),
        ("subprotocol", "a b", "123", "user: has characters"),
        ("subprotocol", "abc", "1,2", "password: has characters"),
        ("subprotocol", "abc", "a/b=", "password: has characters"),
        ("subprotocol", "abc", "pä", "password: has characters"),
        ("subprotocol", "abc", "abc", "must differ"),
        ("subprotocol", "cfb", "123", "must differ"),
    ],
)
def test_credentials_that_cannot_be_sent(
    login: str, key: str, secret: str, said: str
) -> None:
    """A login that cannot carry the credentials is a problem without the secret."""
    plan = VENUE.plans(source("value:BRTI", login=login))[0]
    with pytest.raises(ConfigError) as caught:
        VENUE.open(plan, context(key, secret))
    assert [p for p in caught.value.problems if said in p]
    assert not secret or secret not in str(caught.value).replace("subprotocol", "")


@pytest.mark.parametrize("login", ["basic", "subprotocol"])
def test_good_credentials_have_no_problem(login: str) -> None:
    """Credentials made of token characters suit both logins."""
    assert auth.problems(ABC, login) == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, b"", VenueRefused, "login refused; check user, password"),
        (403, b"Forbidden", VenueRefused, "login refused: Forbidden"),
        (400, b'{"error":"Unknown id"}', VenueRefused, "Unknown id"),
        (400, b"", VenueRefused, "upgrade refused (400)"),
        (404, b"<html>", VenueRefused, "the path of the URL looks wrong"),
        (429, b"", VenueUnreachable, "429"),
        (500, b"\xff\xfe", VenueUnreachable, "500"),
        (503, b"[" * 100_000, VenueUnreachable, "503"),
        (302, b"", VenueUnreachable, "302"),
    ],
)
def test_refused_upgrades(
    status: int, body: bytes, kind: type[VenueError], said: str
) -> None:
    """Refused credentials stop, a venue that is away is tried again."""
    error = auth.refusal("rates", ABC, status, body)
    assert type(error) is kind
    assert said in str(error)
    assert error.venue_code == status
    assert len(str(error)) < 400


def test_a_refusal_never_repeats_the_login() -> None:
    """User name and password are masked in what the server said."""
    body = b'{"error":"no key s3cretuser with s3cretword"}'
    login = Credentials(key="s3cretuser", secret="s3cretword")
    error = auth.refusal("rates", login, 401, body)
    assert "no key *** with ***" in str(error)


def test_what_the_server_may_select() -> None:
    """An empty answer and cfb are fine; a part of the login never is."""
    assert auth.ACCEPTED_ANSWERS == ("", "cfb")
