"""What the parameters of a method must be: types, and all that an order must fit.

A venue gives its `Forms`; the checks here know only what prices, sizes, volumes and
client order ids are. Prices, sizes and volumes count in 10^-8. A check that fails
raises `Refusing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from bridge.core.order_ids import LONG_MAX
from bridge.core.policy import Policy
from bridge.core.refusals import Refusing

E8 = 100_000_000
UNKNOWN_ROLE = "unknown"  # the venue alone knows what the account may send
MAX_NAME = 64
MAX_LIST = 256

Params = Mapping[str, Any]


class OrderType(msgspec.Struct, frozen=True, kw_only=True):
    """One order type: whether it needs a price, and who may send it."""

    priced: bool
    roles: frozenset[str]


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one method.

    `kinds` maps each parameter to a name of `KINDS`, or to a word that is none where
    it is checked elsewhere. `closed` refuses all others: one that nobody looks at, or a
    misspelt one, is never sent with an order. `needed` must be there. `sized` asks for
    exactly one of size and volume, `referring` for exactly one of orderId and
    clientOrderId. `takes_cod` adds the default of `cod`.
    """

    kinds: Mapping[str, str] = {}
    closed: bool = False
    needed: tuple[str, ...] = ()
    sized: bool = False
    referring: bool = False
    takes_cod: bool = False


class Forms(msgspec.Struct, frozen=True, kw_only=True):
    """A venue's forms by method, its order types, and who may order by volume."""

    methods: Mapping[str, Form]
    types: Mapping[str, OrderType]
    by_volume: frozenset[str]


class Steps(NamedTuple):
    """The smallest steps of an instrument's two currencies, in 10^-8."""

    asset: int
    balance: int


class Trader(NamedTuple):
    """Who places an order: what the topic allows, the role, the known instruments.

    `role` may be `UNKNOWN_ROLE`; `instruments` is None until they have been read.
    """

    policy: Policy
    role: str
    instruments: Mapping[str, Steps] | None


class _Kind(NamedTuple):
    expected: str
    fits: Callable[[Any], bool]


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _text(most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and 0 < len(value) <= most


def _listed(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list | tuple)
        and len(value) <= MAX_LIST
        and all(fits(item) for item in value)
    )


_SIDES = ("bid", "ask")  # not a set: a value may not have a hash
_is_id = _whole(0, LONG_MAX)
_is_name = _text(MAX_NAME)

KINDS: Mapping[str, _Kind] = {
    "amount": _Kind("a whole number within 64 bits", _whole(-LONG_MAX - 1, LONG_MAX)),
    "id": _Kind("a whole number from 0 to 2^63-1", _is_id),
    "ids": _Kind(f"a list of up to {MAX_LIST} ids", _listed(_is_id)),
    "flag": _Kind("true or false", lambda value: type(value) is bool),
    "name": _Kind(f"a text of 1 to {MAX_NAME} characters", _is_name),
    "names": _Kind(
        "a name, or a list of names",
        lambda value: _is_name(value) or _listed(_is_name)(value),
    ),
    "side": _Kind("bid or ask", lambda value: value in _SIDES),
}
_ORDER_ID = _whole(1, LONG_MAX)


def check_form(method: str, form: Form, params: Params) -> None:
    """Check that all that is needed is there, and that everything has its type."""
    _check_names(method, form, params)
    for name, value in params.items():
        kind = KINDS.get(form.kinds.get(name, ""))
        if kind is not None and not kind.fits(value):
            raise _wrong(name, value, kind)
    if form.referring:
        _one_of("ORDER_REFERENCE", params, "orderId", "clientOrderId")
    if form.sized:
        _one_of("SIZE_OR_VOLUME", params, "size", "volume")
    if "clientOrderId" in params and not _ORDER_ID(params["clientOrderId"]):
        raise Refusing("CLIENT_ORDER_ID_INVALID", seen=params["clientOrderId"])


def _check_names(method: str, form: Form, params: Params) -> None:
    for name in params:
        if form.closed and name not in form.kinds:
            known = ", ".join(form.kinds)
            raise Refusing("PARAMETER_UNKNOWN", method=method, name=name, known=known)
    for name in form.needed:
        if name not in params:
            raise Refusing("PARAMETER_MISSING", name=name, method=method)


def _wrong(name: str, seen: object, kind: _Kind) -> Refusing:
    facts = {"name": name, "seen": seen, "expected": kind.expected}
    return Refusing("PARAMETER_INVALID", **facts)


def _one_of(code: str, params: Params, first: str, second: str) -> None:
    if (first in params) == (second in params):
        raise Refusing(code, seen="both were" if first in params else "none was")


def check_order(method: str, params: Params, forms: Forms, trader: Trader) -> None:
    """Check a method that places orders against venue, role and policy.

    One that names neither size nor volume passes a limit only by its method's name.
    """
    _check_amounts(params)
    priced = _check_type(params, forms, trader.role)
    instrument = params.get("instrument", "")
    _check_instrument(method, instrument, params, trader)
    measured = "size" in params or "volume" in params
    if measured or method not in trader.policy.methods:
        _check_limit(instrument, params, trader.policy, priced=priced)


def _check_amounts(params: Params) -> None:
    for name in ("price", "size", "volume"):
        value = params.get(name, 1)
        if not KINDS["amount"].fits(value):
            raise _wrong(name, value, KINDS["amount"])
        if value < 1:
            raise Refusing("NOT_POSITIVE", name=name, seen=value)


def _check_type(params: Params, forms: Forms, role: str) -> bool:
    """Check type and role; return whether the order's price binds it."""
    if "volume" in params and role not in {*forms.by_volume, UNKNOWN_ROLE}:
        raise Refusing("VOLUME_NOT_FOR_ROLE", role=role)
    if "type" not in params:
        return "price" in params
    name = params["type"]
    found = forms.types.get(name) if isinstance(name, str) else None
    if found is None:
        raise Refusing("ORDER_TYPE_UNKNOWN", type=name, known=", ".join(forms.types))
    if role not in {*found.roles, UNKNOWN_ROLE}:
        raise Refusing("ORDER_TYPE_NOT_FOR_ROLE", role=role, type=name)
    if found.priced and "price" not in params:
        raise Refusing("PRICE_MISSING", type=name)
    return found.priced


def _check_instrument(
    method: str, instrument: object, params: Params, trader: Trader
) -> None:
    if not isinstance(instrument, str):
        raise _wrong("instrument", instrument, KINDS["name"])
    if not trader.policy.trades(method, instrument):
        raise Refusing("INSTRUMENT_NOT_ALLOWED", instrument=instrument or method)
    if instrument:
        _check_steps(_steps(instrument, trader.instruments), params)


def _steps(instrument: str, known: Mapping[str, Steps] | None) -> Steps:
    if known is None:
        raise Refusing("INSTRUMENTS_UNKNOWN")
    try:
        return known[instrument]
    except KeyError:
        raise Refusing("INSTRUMENT_UNKNOWN", instrument=instrument) from None


def _check_steps(steps: Steps, params: Params) -> None:
    by_name = {
        "size": steps.asset,
        "price": steps.balance,
        "volume": steps.balance,
    }
    for name, step in by_name.items():
        if params.get(name, 0) % max(1, step):
            raise Refusing("OFF_STEP", name=name, seen=params[name], step=step)


def _check_limit(
    instrument: str, params: Params, policy: Policy, *, priced: bool
) -> None:
    """Compare what the order can trade at most; one that cannot be measured fails."""
    limit = policy.limit_of(instrument)
    size, volume = _measured(params, priced=priced)
    if limit.size is not None and size is not None and size > limit.size:
        raise Refusing("SIZE_TOO_LARGE", seen=size, most=limit.size)
    if limit.volume is not None and volume is not None and volume > limit.volume:
        raise Refusing("VOLUME_TOO_LARGE", seen=volume, most=limit.volume)
    pairs = {"size": (limit.size, size), "volume": (limit.volume, volume)}
    wanted = [name for name, (most, _) in pairs.items() if most is not None]
    if wanted and all(pairs[name][1] is None for name in wanted):
        given = next((n for n in ("size", "volume") if n in params), "neither")
        raise Refusing("LIMIT_UNMEASURABLE", limit=wanted[0], given=given)


def _measured(params: Params, *, priced: bool) -> tuple[int | None, int | None]:
    """Return size and volume, one of them from the price where it binds the order."""
    size, volume = params.get("size"), params.get("volume")
    if priced and size is not None and volume is None:
        volume = -(-size * params["price"] // E8)
    return size, volume
