"""Reading the parameters of a request; what is missing or wrong answers error 9.

Source: reference page "Finery Markets API", sections 2.5, 6 and 8.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from bridge.simulators.finery.accounts import Account, Right
from bridge.simulators.finery.refusals import Code, Refused
from bridge.simulators.finery.venue import Venue

MAX_INT64: Final = (1 << 63) - 1


class Call(NamedTuple):
    """A request on its way into the venue."""

    venue: Venue
    account: Account
    content: dict[str, Any]
    connection: int

    def need(self, right: Right) -> None:
        """Refuse with error 3 where the key lacks `right`."""
        if right not in self.account.rights:
            raise Refused(Code.NOT_AUTHORISED)

    def has(self, name: str) -> bool:
        """Tell whether a parameter is given."""
        return self.content.get(name) is not None

    def integer(self, name: str, *, least: int = -MAX_INT64) -> int:
        """Return an integer parameter that must be there."""
        value = self.content.get(name)
        if type(value) is not int or not least <= value <= MAX_INT64:
            raise Refused(Code.PARAMETER, name)
        return value

    def maybe(self, name: str, default: int | None = None) -> int | None:
        """Return an integer parameter, or `default` where it is not given."""
        return self.integer(name) if self.has(name) else default

    def number(self, name: str, default: int = 0) -> int:
        """Return an integer parameter with a default."""
        return self.integer(name) if self.has(name) else default

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string parameter; one without a default must be there."""
        value = self.content.get(name, default)
        if not isinstance(value, str):
            raise Refused(Code.PARAMETER, name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean parameter."""
        value = self.content.get(name, default)
        if not isinstance(value, bool):
            raise Refused(Code.PARAMETER, name)
        return value

    def choice(self, name: str, known: dict[str, int]) -> int:
        """Return the code of a named choice."""
        text = self.text(name)
        if self.venue.options.rules.any_case:
            by_lower = {key.lower(): code for key, code in known.items()}
            text, known = text.lower(), by_lower
        if text not in known:
            raise Refused(Code.PARAMETER, name)
        return known[text]

    def numbers(self, name: str) -> frozenset[int] | None:
        """Return a list of integers, None where it is not given."""
        value = self.content.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or any(type(item) is not int for item in value):
            raise Refused(Code.PARAMETER, name)
        return frozenset(value)

    def counterparty(self, name: str = "counterpartyId") -> Account:
        """Return the account that a parameter names; never the caller's own."""
        return self.venue.account(self.integer(name))
