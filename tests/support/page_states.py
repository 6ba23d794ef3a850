"""States as a worker tells them, made up for the page: healthy, broken, hostile."""

import time
from typing import Any

Json = dict[str, Any]

NAMES = [f"book.tradable:C{number}-USD" for number in range(1, 45)]
VALUES = [f"value:BRTI{number}" for number in range(1, 7)]
# 1e-8; the last digits of the bid are lost by any floating-point number.
BID = [12_345_678_901_234_567, 5_000_000_001]
ASK = [12_345_678_901_234_569, 150_000_000]
HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "\u202egnihtyna \u2066\u200b",
    "مرحبا بالعالم",
    "A" * 10_000,
)


def book(name: str) -> Json:
    """Return a live book."""
    top = {"bid": BID, "ask": ASK}
    return {"name": name, "phase": "LIVE", "age_ms": 340, "top": top}


def index(name: str) -> Json:
    """Return a live index value."""
    return {
        "name": name,
        "phase": "LIVE",
        "state": "LIVE",
        "age_ms": 120,
        "value": "64250.120000000001",
        "rhythm": "200 ms",
    }


def connection(source: str, name: str, bindings: list[Json], frames: int) -> Json:
    """Return an open connection, its subscriptions as its bindings say."""
    return {
        "source": source,
        "name": name,
        "connection": "0192f5a8-7d1e-7000-8000-000000000001",
        "frames": frames,
        "discarded": 0,
        "bindings": bindings,
        "subscriptions": [lane(one, frames) for one in bindings],
    }


def lane(binding: Json, records: int) -> Json:
    """Return what a connection says of the one subscription of a binding."""
    return {
        "name": binding["name"],
        "binding": binding["name"],
        "state": "LIVE",
        "reason": "SNAPSHOT",
        "detail": "",
        "records": records,
        "gaps": 0,
    }


def feed(source: str, name: str, trouble: str = "", reconnects: int = 0) -> Json:
    """Return one planned connection."""
    return {
        "source": source,
        "name": name,
        "reconnects": reconnects,
        "trouble": trouble,
        "bindings": [],
    }


def healthy() -> Json:
    """Return 50 live subscriptions, orders included."""
    frames = int(time.monotonic() * 250)
    return {
        "worker": "feedbridge-0",
        "phase": "running",
        "flow": "FLOWING",
        "pauses": 0,
        "cuts": 0,
        "ledger": {"frames": frames, "gaps": 0, "dead_letters": 0, "discarded": 0},
        "kafka": {
            "produced": frames,
            "acked": frames - 12,
            "failed": 0,
            "outstanding_bytes": 21_840,
        },
        "ownership": ownership(),
        "feeds": [
            feed("desk-a", "books-1"),
            feed("desk-a", "orders"),
            feed("cf", "index"),
        ],
        "orders": orders(),
        "connections": [
            connection("desk-a", "books-1", [book(n) for n in NAMES], frames),
            connection("cf", "index", [index(n) for n in VALUES], frames // 5),
        ],
    }


def ownership() -> Json:
    """Return two shares of a group."""
    shares = [
        {
            "share": share,
            "since_ms": 1_795_000_000_000 + share,
            "bindings": 25,
            "connections": [f"books-1@{share}"],
        }
        for share in (3, 17)
    ]
    return {
        "mode": "group",
        "group": "feedbridge",
        "lapses": 0,
        "left_out": [],
        "shares": shares,
    }


def orders() -> Json:
    """Return one account, one command topic and its last commands."""
    account = {
        "connection": "0192f5a8-7d1e-7000-8000-000000000002",
        "ready": True,
        "in_flight": 1,
        "waiting": 0,
        "trading": "ACTIVE",
        "reason": "",
    }
    partition = {
        "partition": 0,
        "open_claims": 1,
        "in_doubt": 0,
        "unsettled": 0,
        "position": 41,
        "caught_up": True,
        "closing": False,
    }
    topic = {
        "partitions": [partition],
        "witnesses": 0,
        "outcomes": {"DONE": 1_204, "REJECTED": 3},
    }
    return {
        "topics": {"desk-a.commands": topic},
        "accounts": {"desk-a": account},
        "recent": [command("r-2", "DONE", ""), command("r-1", "REJECTED", "VENUE_20")],
    }


def command(req_id: str, outcome: str, code: str) -> Json:
    """Return a command that has ended."""
    return {
        "at_ms": 1_795_000_000_000,
        "topic": "desk-a.commands",
        "account": "desk-a",
        "method": "add",
        "req_id": req_id,
        "outcome": outcome,
        "code": code,
        "text": "",
    }


def broken() -> Json:
    """Return the same with three subscriptions that are not live."""
    state = healthy()
    books, values = (one["bindings"] for one in state["connections"])
    lanes = [one["subscriptions"] for one in state["connections"]]
    books[20] |= {"phase": "UNBINDING", "top": None, "age_ms": 48_000}
    stale = {"state": "STALE", "reason": "SILENT", "detail": "no data for 30000 ms"}
    lanes[0][20] |= stale | {"gaps": 1}
    books[33] |= {"phase": "WAITING", "top": None, "age_ms": None}
    refused = {"state": "REFUSED", "reason": "VENUE_REFUSED", "detail": "7: no right"}
    lanes[0][33] |= refused
    values[2] |= {"state": "STALE", "age_ms": 9_400}
    old = {"reason": "SOURCE_TIME_OLD", "detail": "newest value is 9400 ms old"}
    lanes[1][2] |= {"state": "STALE", **old}
    return state


def hostile() -> Json:
    """Return texts of a stranger in every place where one may stand."""
    state = broken()
    state["worker"] = HOSTILE[0]
    for one, text in zip(state["connections"][0]["bindings"], HOSTILE, strict=False):
        said = {"name": text, "binding": text, "state": "STALE", "reason": text}
        state["connections"][0]["subscriptions"].append({**said, "detail": text})
        one["name"] = text
    state["feeds"] += [feed("desk-b", text, trouble=text) for text in HOSTILE]
    state["ownership"]["left_out"] = list(HOSTILE)
    state["orders"]["accounts"]["desk-a"] |= {"trading": "HALTED", "reason": HOSTILE[0]}
    state["orders"]["recent"] = [
        {**command(text, text, text), "text": text, "method": text} for text in HOSTILE
    ]
    return state


def as_today() -> Json:
    """Return the same without the fields that the first workers did not tell."""
    state = broken()
    for one in state["connections"]:
        del one["subscriptions"]
    for one in state["feeds"]:
        del one["bindings"]
    del state["orders"]["recent"]
    return state
