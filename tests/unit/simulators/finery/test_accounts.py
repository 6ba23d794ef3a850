"""The login check: `bridge.simulators.finery.accounts`."""

import pytest

from bridge.simulators.finery.accounts import (
    Gate,
    demo_accounts,
    signature,
)
from bridge.simulators.finery.options import Nonces, Rules
from bridge.simulators.finery.refusals import Refused
from bridge.venues.finery import auth

NOW = 1_700_000_000_000
SECRET = "cZpZ1vwzOaXuiONfIQVg8h6za97FoHhrwwgoSCNwDAR"
ACCOUNTS = demo_accounts()
ME = ACCOUNTS[7]


def gate(**rules: object) -> Gate:
    return Gate(ACCOUNTS, Rules(**rules))  # type: ignore[arg-type]


def content(nonce: object = 5, timestamp: object = NOW) -> str:
    return f'{{"nonce":{nonce},"timestamp":{timestamp}}}'


def attempt(door: Gate, text: str, now: int = NOW, signed: str | None = None) -> int:
    """Log in; return the error code, 0 for success."""
    try:
        door.login(ME.key, text, signed or signature(ME.secret, text), now)
    except Refused as refused:
        return refused.number
    return 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"nonce": 49856723467362345, "timestamp": 1628489110490}',
            "KCn9rlqILiifROYfgpGmRtvgBzSCJa/2KJ31oPKbcyE6D+BaTVfFMXo8kDwQtBC/",
        ),
        (
            '{"nonce":49856723467362345,"timestamp":1628489110490}',
            "UcbCv4P7NArhrz35b7vyAET0gz+bxGSImccxwxV43SA3M+KsR2KpiLm09vImeJuL",
        ),
        (
            '{"nonce":12345,"timestamp":1700000000000}',
            "l+91S2f9TAovcwiWy2E1j7vArHCYCX5y+KtuBd2n7ubSaDdxUqv/lFWpCKTtsP07",
        ),
    ],
)
def test_the_published_vectors_are_met(text: str, expected: str) -> None:
    """A signature is Base64 of HMAC-SHA384 over the exact text (reference 1.2)."""
    assert signature(SECRET, text) == expected
    assert auth.sign(SECRET, text) == expected


def test_a_right_login_names_its_account() -> None:
    """A known key with a right signature logs in as its account."""
    text = content()

    assert gate().login(ME.key, text, signature(ME.secret, text), NOW) is ME


def test_an_unknown_key_is_error_3() -> None:
    """A key that nobody has answers 3; an account without a key is no way in."""
    for key in ("nobody", ""):
        with pytest.raises(Refused) as refused:
            gate().login(key, content(), "x", NOW)
        assert refused.value.number == 3


def test_the_signature_covers_the_exact_text() -> None:
    """A space more in the signed text is another signature: error 14."""
    signed = signature(ME.secret, content())

    assert attempt(gate(), content().replace(":", ": "), signed=signed) == 14
    assert attempt(gate(), content(), signed="nonsense") == 14


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (content(), 0),
        (content(timestamp=NOW - 60_000), 0),
        (content(timestamp=NOW - 60_001), 7),
        (content(timestamp=NOW + 60_001), 7),
        (content(timestamp='"1700000000000"'), 7),
        (content(nonce=(1 << 64) - 1), 0),
        (content(nonce=1 << 64), 6),
        (content(nonce=-1), 6),
        (content(nonce=1.5), 6),
        (content(nonce="true"), 6),
        (f'{{"timestamp":{NOW}}}', 6),
        ('{"nonce":5}', 7),
        ("[1]", 7),
        ("not json", 7),
    ],
)
def test_nonce_and_timestamp_are_exact_integers(text: str, error: int) -> None:
    """The nonce has 64 bits (6), the timestamp is within the tolerance (7)."""
    assert attempt(gate(), text) == error


def test_numbers_as_strings_are_a_switch() -> None:
    """Numbers as JSON strings are taken where the rules say so."""
    text = content(nonce='"6"', timestamp=f'"{NOW}"')

    assert attempt(gate(numbers_as_strings=True), text) == 0


def test_the_tolerance_can_be_switched_off() -> None:
    """Without a tolerance any timestamp goes."""
    assert attempt(gate(timestamp_tolerance_s=None), content(timestamp=1)) == 0


def test_a_nonce_is_unique_within_its_window() -> None:
    """The same nonce is refused within 120 s, and a smaller one is fine."""
    door = gate(timestamp_tolerance_s=None)

    assert attempt(door, content(9)) == 0
    assert attempt(door, content(9)) == 6
    assert attempt(door, content(8)) == 0
    assert attempt(door, content(9), NOW + 119_999) == 6
    assert attempt(door, content(9), NOW + 120_000) == 0


def test_a_nonce_may_have_to_grow() -> None:
    """Under the increasing rule an equal or smaller nonce is refused."""
    door = gate(nonces=Nonces.INCREASING)

    assert [attempt(door, content(n)) for n in (9, 9, 8, 10)] == [0, 6, 6, 0]


def test_a_failed_login_spends_no_nonce_by_default() -> None:
    """Whether a bad signature spends the nonce is a switch."""
    sparing, spending = gate(), gate(nonce_spent_on_failure=True)
    for door in (sparing, spending):
        assert attempt(door, content(), signed="bad") == 14

    assert attempt(sparing, content()) == 0
    assert attempt(spending, content()) == 6


def test_an_agreement_not_signed_is_error_13() -> None:
    """An account that signed no agreement answers 13."""
    ME.agreed = False
    try:
        assert attempt(gate(), content()) == 13
    finally:
        ME.agreed = True


def test_keys_look_fake_and_secrets_stay_out_of_reprs() -> None:
    """Every key and secret says that it is fake, and `repr` hides the secret."""
    keyed = [a for a in ACCOUNTS.values() if a.key]

    assert len(keyed) == 6
    assert all("fake" in a.key and "fake" in a.secret for a in keyed)
    assert all(a.secret not in repr(a) for a in keyed)
