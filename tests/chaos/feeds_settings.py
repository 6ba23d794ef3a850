"""What the workers of a stage are told to do: 300 subscriptions of three accounts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.orders_stage import OPTIONS
from tests.support.kafka import RealKafka
from tests.support.processes import Venue

DESK, SECOND, RATES = "desk", "second", "rates"  # accounts: master and taker; indices
KEYS = {DESK: "master", SECOND: "taker"}
IDS = {DESK: 9, SECOND: 7}  # of these accounts in the simulator
LOGINS = {
    DESK: ("KEY", "SECRET"),
    SECOND: ("KEY", "SECRET"),
    RATES: ("USER", "PASSWORD"),
}
INSTRUMENTS, SPARE = 80, 10  # the spare ones are for run time
SESSION_S = 6
PARTITIONS = 12
REFRESH_S = 5
BOOKS = ("book.tradable", "book.global", "book.viewonly")
LISTS = (
    "instruments",
    "orders",
    "positions",
    "settlement-orders",
    "settlement-requests",
    "settlement-transactions",
    "counterparty-limits",
)
# All indices with a value a second, and daily ones, which speak once a day.
PAIRS = (
    "BTCEUR ETHUSD ETHEUR SOLUSD XRPUSD DOGEUSD ADAUSD LTCUSD BCHUSD DOTUSD LINKUSD "
    "AVAXUSD MATICUSD BNBUSD HYPEUSD"
)
DAYS = "BRR BRRNY BRRAP BVXS BTCEUR_RR ETHUSD_RR SOLUSD_RR ETHUSD_NY ETHUSD_AP"
REAL_TIME = ("BRTI", *(f"{pair}_RTI" for pair in PAIRS.split()))
DAILY = tuple(DAYS.split())


def _instruments() -> list[str]:
    """Return names that the simulator offers: ten known ones, then numbered ones."""
    return [f"T{number:03d}-USD" for number in range(10, INSTRUMENTS + SPARE)]


def subscriptions() -> dict[str, list[str]]:
    """Return what the settings ask for, by account."""
    books = [f"{kind}:{name}" for kind in BOOKS for name in _instruments()[:-SPARE]]
    values = [f"value:{name}" for name in (*REAL_TIME, *DAILY)]
    stats = [f"rti-stats:{name}" for name in REAL_TIME]
    more = [f"book.tradable:{name}" for name in _instruments()[:35]]
    return {DESK: [*books, *LISTS], SECOND: [*more, *LISTS], RATES: [*values, *stats]}


def flooded() -> list[str]:
    """Return the instruments of the settings' books, less those that orders go to."""
    return _instruments()[SPARE:-SPARE]


def spare() -> list[str]:
    """Return books of the desk that the settings do not ask for."""
    return [f"{kind}:{name}" for kind in BOOKS for name in _instruments()[-SPARE:]]


def flowing(keys: Sequence[str]) -> frozenset[str]:
    """Return what must have data in any REFRESH_S: books, and indices of a second."""
    real_time = {f"{RATES}/value:{name}" for name in REAL_TIME}
    return frozenset(k for k in keys if "/book." in k or k in real_time)


def settings(broker: RealKafka, finery: Venue, rates: Venue) -> dict[str, Any]:
    """Return the settings that all workers share."""
    wanted = subscriptions()
    ownership = {
        "mode": "group",
        "session_timeout_s": SESSION_S,
        "partitions": PARTITIONS,
    }
    return {
        "kafka": {"bootstrap_servers": broker.bootstrap, "options": OPTIONS},
        "ownership": ownership,
        "books": {"refresh_seconds": REFRESH_S},
        "transport": {
            "ping_interval_s": 1,
            "ping_timeout_s": 2,
            "workers_per_address": 3,
        },
        "finery": {
            DESK: {
                "url": finery.facts["url"],
                "role": "master",
                "subscriptions": wanted[DESK],
            },
            SECOND: {
                "url": finery.facts["url"],
                "subscriptions": wanted[SECOND],
            },
        },
        "cfbenchmarks": {
            RATES: {
                "url": rates.facts["url"],
                "subscriptions": wanted[RATES],
            }
        },
    }


def variables(folder: Path, rates: Venue, config: str) -> dict[str, str]:
    """Return the environment of all processes: settings file and files of logins."""
    for account, key in KEYS.items():
        secret = f"fake-demo-secret-of-{key}-good-for-nothing"
        write_login(folder, account, f"fake-demo-key-of-{key}", secret)
    write_login(folder, RATES, rates.facts["user"], rates.facts["password"])
    found = {"FEEDBRIDGE_CONFIG": config}
    for account, names in LOGINS.items():
        venue = "CFBENCHMARKS" if account == RATES else "FINERY"
        for name in names:
            file = str(_login_file(folder, account, name))
            found[f"FEEDBRIDGE_{venue}__{account}__{name}_FILE"] = file
    return found


def write_login(folder: Path, account: str, *texts: str) -> None:
    """Write the files of an account's login, one after the other."""
    for name, text in zip(LOGINS[account], texts, strict=True):
        _login_file(folder, account, name).write_text(text + "\n")


def _login_file(folder: Path, account: str, name: str) -> Path:
    return folder / f"{account}.{name.lower()}"
