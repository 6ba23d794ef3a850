"""Logins are signed exactly as the venue checks them."""

from __future__ import annotations

import json

import pytest

from bridge.venues.base import Credentials
from bridge.venues.finery import auth

# A published example, not a live secret; source: docs, troubleshooting, error 14.
SECRET = "cZpZ1vwzOaXuiONfIQVg8h6za97FoHhrwwgoSCNwDAR"

VECTORS = [
    pytest.param(
        '{"nonce": 49856723467362345, "timestamp": 1628489110490}',
        "KCn9rlqILiifROYfgpGmRtvgBzSCJa/2KJ31oPKbcyE6D+BaTVfFMXo8kDwQtBC/",
        id="docs-error-14-spaced",
    ),
    pytest.param(
        'add{"nonce": 49856723467362345, "timestamp": 1628489110490, "instrument": '
        '"BTC-USD", "clientOrderId": 1, "size": 1, "side": "ask", "type": "MarketIOC"}',
        "xvWE5m9bLUOx6TubJsXbnHPfdmYGvlbma2kuRPma0smOq47yRsG4LCak/hozAiQq",
        id="docs-error-14-rest",
    ),
    pytest.param(
        '{"nonce":49856723467362345,"timestamp":1628489110490}',
        "UcbCv4P7NArhrz35b7vyAET0gz+bxGSImccxwxV43SA3M+KsR2KpiLm09vImeJuL",
        id="reference-1.2-compact",
    ),
    pytest.param(
        '{"nonce":12345,"timestamp":1700000000000}',
        "l+91S2f9TAovcwiWy2E1j7vArHCYCX5y+KtuBd2n7ubSaDdxUqv/lFWpCKTtsP07",
        id="reference-1.2-websocket",
    ),
    pytest.param(
        'dealHistory{"instrument":"BTC-USD","nonce":12345,"timestamp":1700000000000}',
        "0nO5ovAf8xOGFrM3UkZ3Ar5JNyUSX1KcCo/CNF8ILCNvDVBw/f0Mi3JHdkWlvhZA",
        id="reference-1.2-rest",
    ),
]


@pytest.mark.parametrize(("text", "signature"), VECTORS)
def test_signature_vectors(text: str, signature: str) -> None:
    """The signature covers the exact text, spacing included (reference 1.2)."""
    assert auth.sign(SECRET, text) == signature


def test_headers_carry_the_very_text_that_was_signed() -> None:
    """Serialised once: EFX-Content is what EFX-Sign covers, timestamp in ms."""
    login = Credentials(key="public", secret=SECRET)
    assert auth.headers(login, 12345, 1_700_000_000_000_999_999) == (
        ("EFX-Key", "public"),
        ("EFX-Content", '{"nonce":12345,"timestamp":1700000000000}'),
        (
            "EFX-Sign",
            "l+91S2f9TAovcwiWy2E1j7vArHCYCX5y+KtuBd2n7ubSaDdxUqv/lFWpCKTtsP07",
        ),
    )


def test_inband_login_signs_the_unescaped_text() -> None:
    """The legacy login carries the content as a string (reference 1.5)."""
    login = Credentials(key="public", secret=SECRET)
    message = json.loads(auth.inband(login, 12345, 1_700_000_000_000_000_000))
    assert message == {
        "event": "auth",
        "key": "public",
        "content": '{"nonce":12345,"timestamp":1700000000000}',
        "signature": "l+91S2f9TAovcwiWy2E1j7vArHCYCX5y+KtuBd2n7ubSaDdxUqv/lFWpCKTtsP07",
    }


def test_nonces_rise_though_the_clock_stands_or_goes_back() -> None:
    """Every nonce is above the one before, whatever the clock does (reference 1.4)."""
    clock = iter([100, 100, 50, 200, 200])
    nonces = auth.NonceSource(lambda: next(clock))
    assert [nonces() for _ in range(5)] == [100, 101, 102, 200, 201]


def test_nonces_may_exceed_a_double() -> None:
    """A nonce in ns is above 2^53 and stays exact (reference 1.2)."""
    nonces = auth.NonceSource(lambda: 49_856_723_467_362_345)
    assert nonces() == 49_856_723_467_362_345
    assert auth.content(nonces(), 0) == '{"nonce":49856723467362346,"timestamp":0}'
