"""The verbs and their arguments, as a table; `bridge.cli` makes the parser of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Arg(NamedTuple):
    """One argument: its names and argparse's keywords."""

    names: tuple[str, ...]
    keywords: Mapping[str, Any]


def arg(*names: str, **keywords: Any) -> Arg:  # noqa: ANN401 - argparse's own
    """Describe an argument as `add_argument` takes it."""
    return Arg(names, keywords)


def at_least(
    low: float, kind: Callable[[str], float] = float
) -> Callable[[str], float]:
    """Return a reader of numbers that refuses what is below `low`."""

    def read(text: str) -> float:
        value = kind(text)
        if not value >= low:
            message = f"{text} was seen; give at least {low:g}"
            raise argparse.ArgumentTypeError(message)
        return value

    read.__name__ = "number"
    return read


class Verb(NamedTuple):
    """One verb: what it does, its arguments, and the verbs below it."""

    text: str
    args: tuple[Arg, ...] = ()
    below: Mapping[str, Verb] = {}


JSON = arg("--json", action="store_true", help="write JSON")
CONFIG = arg(
    "--config", type=Path, metavar="FILE", help="settings; else FEEDBRIDGE_CONFIG"
)
SECONDS = arg("--seconds", type=at_least(0), help="stop after this long")
PORT = at_least(0, int)
SERVING = (
    arg("--host", default="127.0.0.1", help="address to listen on"),
    arg("--port", type=PORT, default=0, help="0 takes a free one"),
    arg("--control-port", type=PORT, default=0, help="port that switches faults"),
    arg("--seed", type=int, default=1, help="the same seed, the same market"),
    arg("--speed", type=at_least(0.001), default=1.0, help="how fast time runs"),
    arg("--tls-cert", type=Path, metavar="FILE", help="serve TLS with it, PEM"),
    arg("--tls-key", type=Path, metavar="FILE", help="its key, PEM"),
    SECONDS,
    JSON,
)

ACCOUNT = arg("--account", help="configured name; needed where there are several")
TOPIC = arg("--topic", help="command topic; needed where several serve the account")
STATE = (
    arg("account", metavar="ACCOUNT", help="configured name of the venue account"),
    CONFIG,
    arg("--reason", help="why, for those who read the control topic"),
)
WISH = (
    arg("source", nargs="?", metavar="SOURCE", help="configured name of the account"),
    arg("name", nargs="?", metavar="NAME", help="like book.tradable:BTC-USD#label"),
)
WHY = (CONFIG, arg("--reason", help="why, for those who read the topic"), JSON)

VERBS: Mapping[str, Verb] = {
    "demo": Verb(
        "embedded Kafka, both simulators, a worker, a live table",
        (SECONDS,
         arg("--orders", action="store_true",
             help="send orders instead, and judge every response"),
         arg("--commands", type=at_least(1, int), default=1000,
             help="how many, with --orders"),
         arg("--seed", type=int, default=1, help="which ones, with --orders"), JSON),
    ),
    "run": Verb("run a worker", (CONFIG,)),
    "check": Verb(
        "check the settings and show what follows from them",
        (CONFIG, arg("--connect", action="store_true", help="open every dependency"),
         arg("--workers", type=at_least(1, int), metavar="COUNT",
             help="show who would run what with so many workers"),
         JSON),
    ),
    "topics": Verb(
        "show the topics that the settings need",
        (CONFIG, arg("--apply", action="store_true", help="create what is missing"),
         JSON),
    ),
    "schemas": Verb(
        "list, check or register the schemas",
        below={
            "list": Verb("list the schemas in this version", (CONFIG, JSON)),
            "check": Verb("compare them with the last release and the registry",
                          (CONFIG, JSON)),
            "register": Verb("register them", (CONFIG, JSON)),
        },
    ),
    "simulate": Verb(
        "run a local venue",
        below={
            "finery": Verb(
                "Finery Markets",
                (arg("--instruments", type=at_least(1, int), help="how many"),
                 arg("--rate", type=at_least(0), help="book changes a second for each"),
                 arg("--era", choices=("old", "middle", "new"), default="new",
                     help="layout of messages"), *SERVING),
            ),
            "cfbenchmarks": Verb(
                "CF Benchmarks",
                (arg("--indices", help="comma-separated, like BRTI,BRR"), *SERVING),
            ),
        },
    ),
    "tail": Verb(
        "show decoded records",
        (
            arg("topics", nargs="+", metavar="TOPIC"),
            CONFIG,
            arg("--from", dest="start", choices=("beginning", "end"), default="end",
                help="where to start; the end means what comes from now on"),
            arg("--count", type=at_least(1, int), help="stop after this many"),
            SECONDS,
            arg("--follow", action="store_true", help="wait for more at the end"),
            arg("--table", action="store_true", help="a line a record, for people"),
        ),
    ),
    "send": Verb(
        "send a command and wait for its final response",
        (
            arg("method", metavar="METHOD", help="the venue's name, like add"),
            arg("words", nargs="*", metavar="KEY=VALUE",
                help="its parameters: price=60001.5, or priceE8= as an integer"),
            CONFIG, ACCOUNT, TOPIC,
            arg("--content", metavar="JSON", help="the parameters as the venue's JSON"),
            arg("--req-id", metavar="ID", help="a new UUID if not given"),
            arg("--key", help="commands with one key keep their order; the account"),
            arg("--traceparent", metavar="TRACE",
                help="the trace that it belongs to, as W3C writes it"),
            arg("--deadline-seconds", type=at_least(0),
                help="not sent to the venue later than this from now"),
            arg("--wait-seconds", type=at_least(0),
                help="wait this long for the final response; 60 if not given"),
            arg("--dry-run", action="store_true", help="check and show; write nothing"),
            JSON,
        ),
    ),
    "halt": Verb(
        "halt an account: queries and cancels only",
        (
            *STATE,
            arg("--halt-cancels", action="store_true", help="hold cancels back, too"),
            arg("--cancel-all", action="store_true",
                help="cancel everything and check that nothing is left"),
            TOPIC, JSON,
        ),
    ),
    "reduce": Verb("let an account only cancel and query", (*STATE, JSON)),
    "resume": Verb("let an account trade again", (*STATE, JSON)),
    "subscribe": Verb(
        "ask for a subscription while workers run, beside the settings file",
        (
            *WISH,
            arg("words", nargs="*", metavar="KEY=VALUE",
                help="options as in the settings: stale_after_s=5, makers=1,2"),
            arg("--reset", action="store_true",
                help="take the record back, so that the settings file holds again"),
            arg("--list", action="store_true", help="show what is wanted, and why"),
            *WHY,
        ),
    ),
    "unsubscribe": Verb(
        "take a subscription away while workers run, whatever the settings file says",
        (*WISH, *WHY),
    ),
    "status": Verb(
        "show which worker runs what, since when, and how old its data are",
        (
            CONFIG,
            arg("--watch", type=at_least(0.1), metavar="SECONDS",
                help="show it again this often, until Ctrl-C"),
            arg("--stale-only", action="store_true",
                help="leave out the subscriptions that are live"),
            arg("--window", type=at_least(1), metavar="SECONDS", default=60,
                help="how far back to look for data; 60"),
            arg("--check", action="store_true",
                help="exit with 6 if anything that is wanted is not live"),
            JSON,
        ),
    ),
    "verify": Verb(
        "prove that topics are complete, or list the holes",
        (
            arg("topics", nargs="*", metavar="TOPIC"),
            arg("--all", action="store_true", help="every feed topic of the settings"),
            arg("--open-seconds", type=at_least(0), default=300,
                help="a command claimed for longer, with no final, is a fault; 300"),
            CONFIG,
            JSON,
        ),
    ),
    "bench": Verb(
        "measure the path beside a naive worker and the bare floor",
        (
            arg("what", nargs="?", choices=("feeds", "orders"), default="feeds",
                help="feeds, or the latency of orders beside plain Kafka hops"),
            arg("--rounds", type=at_least(1, int), help="turns of all; 5 if not given"),
            arg("--seconds", type=at_least(0.1), help="length of a run; else 3"),
            arg("--quick", action="store_true", help="one short round, for CI"),
            arg("--designs", help="comma-separated; all if not given"),
            arg("--kinds", help="of frames: upd5, snap25, mix; comma-separated"),
            arg("--rates", help="paced loads, frames or orders a second;"
                " comma-separated"),
            arg("--orders", dest="count", metavar="COUNT", type=at_least(1, int),
                help="orders for each load; 500 if not given"),
            arg("--bootstrap", metavar="SERVERS",
                help="measure orders on this Kafka; else on the embedded one"),
            JSON,
        ),
    ),
}  # fmt: skip

# Where a verb's module has another name.
MODULES = {
    "schemas": "schemas_of",
    "reduce": "halt",
    "resume": "halt",
    "unsubscribe": "subscribe",
}
