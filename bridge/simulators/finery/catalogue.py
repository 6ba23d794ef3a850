"""Currencies, instruments and networks of the simulated venue.

Layouts: reference page "Finery Markets API", section 5.2. Names and steps follow its
samples; the numeric ids are made up, as ids differ from one environment to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from bridge.simulators.finery.refusals import Code, Refused

UNIT: Final = 100_000_000
"""One whole coin, dollar, ...: amounts and prices are integers of 1e-8 (10.1)."""

_MAX_NAME: Final = 20


class Currency(NamedTuple):
    """One currency; `step` and `valuation` (in USD) are in units of 1e-8."""

    name: str
    id: int
    step: int
    valuation: int
    kind: str
    networks: tuple[str, ...]


class Instrument(NamedTuple):
    """One pair, named ASSET-BALANCE."""

    name: str
    id: int
    asset: str
    balance: str


class Network(NamedTuple):
    """One chain or payment system."""

    name: str
    description: str
    id: int


T = TypeVar("T", Currency, Instrument)

NETWORKS: Final = (
    Network("BTC", "Bitcoin", 1),
    Network("SWIFT", "SWIFT transfer", 2),
    Network("ERC20", "Ethereum", 3),
    Network("SEPA", "SEPA transfer", 4),
    Network("SOL", "Solana", 5),
)

_CURRENCIES: Final = (
    Currency("USD", 4725, 1_000_000, UNIT, "fiat", ("SWIFT",)),
    Currency("EUR", 4726, 1_000_000, 108_000_000, "fiat", ("SEPA", "SWIFT")),
    Currency("USDT", 660085, 100, 100_085_000, "stablecoin", ("ERC20",)),
    Currency("BTC", 3714, 1, 60_000 * UNIT, "crypto", ("BTC",)),
    Currency("ETH", 3715, 1, 3_000 * UNIT, "crypto", ("ERC20",)),
    Currency("SOL", 3716, 1, 150 * UNIT, "crypto", ("SOL",)),
    Currency("XRP", 3717, 100, 60_000_000, "crypto", ()),
    Currency("LTC", 3718, 1, 80 * UNIT, "crypto", ()),
)

_PAIRS: Final = (
    "BTC-USD",
    "ETH-USD",
    "BTC-EUR",
    "ETH-EUR",
    "BTC-USDT",
    "ETH-USDT",
    "SOL-USD",
    "XRP-USD",
    "LTC-USD",
    "EUR-USD",
)

_FIRST_INSTRUMENT_ID: Final = 4_955_410_050
_FIRST_MADE_UP_ID: Final = 900_000


class Catalogue:
    """What can be traded; instruments and currencies may change while it runs."""

    def __init__(self, instruments: int) -> None:
        """Offer the first `instruments` pairs; made-up ones follow the known ten."""
        self.currencies: dict[str, Currency] = {c.name: c for c in _CURRENCIES}
        self.instruments: dict[str, Instrument] = {}
        self._next_instrument = _FIRST_INSTRUMENT_ID
        for number in range(instruments):
            self.add(_pair(number))

    def add(self, name: str) -> Instrument:
        """Add the pair `name`; a currency that is not known yet comes with it."""
        asset, _, balance = name.partition("-")
        if not asset or not balance or len(name) > _MAX_NAME:
            raise Refused(Code.FEED_ID, "instrument")
        for currency in (asset, balance):
            self._make_up(currency)
        made = Instrument(name, self._next_instrument, asset, balance)
        self._next_instrument += 1
        self.instruments[name] = made
        return made

    def remove(self, name: str) -> Instrument:
        """Take the pair `name` away."""
        return self.instruments.pop(self.instrument(name).name)

    def revalue(self, name: str, valuation: int) -> Currency:
        """Change a currency's USD valuation."""
        changed = self.currency(name)._replace(valuation=valuation)
        self.currencies[changed.name] = changed
        return changed

    def instrument(self, name: object) -> Instrument:
        """Find an instrument by name or numeric id; error 34 where there is none."""
        return _find(self.instruments, name, Code.INSTRUMENT_NOT_FOUND)

    def currency(self, name: object) -> Currency:
        """Find a currency by name or numeric id; error 26 where there is none."""
        return _find(self.currencies, name, Code.CURRENCY_NOT_FOUND)

    def size_step(self, instrument: str) -> int:
        """Return the step of sizes: the asset currency's balance step (5.2)."""
        return self.currencies[self.instruments[instrument].asset].step

    def price_step(self, instrument: str) -> int:
        """Return the step of prices and volumes: the balance currency's step (5.2)."""
        return self.currencies[self.instruments[instrument].balance].step

    def fair_price(self, instrument: str) -> int:
        """Return the price that the two currencies' valuations imply, on its step."""
        pair = self.instruments[instrument]
        asset, balance = self.currencies[pair.asset], self.currencies[pair.balance]
        raw = asset.valuation * UNIT // balance.valuation
        return max(raw // balance.step, 1) * balance.step

    def _make_up(self, name: str) -> None:
        if name not in self.currencies:
            number = _FIRST_MADE_UP_ID + len(self.currencies)
            valuation = (10 + number % 90) * UNIT
            made = Currency(name, number, 1, valuation, "crypto", ())
            self.currencies[name] = made


def _pair(number: int) -> str:
    return _PAIRS[number] if number < len(_PAIRS) else f"T{number:03d}-USD"


def _find(known: Mapping[str, T], name: object, code: int) -> T:
    if isinstance(name, str) and name in known:
        return known[name]
    if isinstance(name, int) and not isinstance(name, bool):
        for item in known.values():
            if item.id == name:
                return item
    raise Refused(code)
