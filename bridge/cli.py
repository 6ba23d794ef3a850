"""The command line: verbs, their options, and exit codes.

A verb is a module of `bridge.verbs` with a function `main(args) -> int`; it is imported
only when it is called, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from bridge import __version__
from bridge.errors import BridgeError, ConfigError

FINE, UNEXPECTED, INTERRUPTED = 0, 1, 130
MOST_CAUSES = 10

EPILOG = """\
exit codes: 0 fine, 1 unexpected, 2 settings or usage, 3 venue refused the login,
4 schema, 5 Kafka, 6 something was left undelivered or is missing, 130 interrupted
"""


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
    arg("--control-port", type=PORT, default=0, help="HTTP port that switches faults"),
    arg("--seed", type=int, default=1, help="the same seed, the same market"),
    arg("--speed", type=at_least(0.001), default=1.0, help="how fast time runs"),
    arg("--tls-cert", type=Path, metavar="FILE", help="serve TLS with it, PEM"),
    arg("--tls-key", type=Path, metavar="FILE", help="its key, PEM"),
    SECONDS,
    JSON,
)

VERBS: Mapping[str, Verb] = {
    "demo": Verb("embedded Kafka, both simulators, a worker, a live table",
                 (SECONDS, JSON)),
    "run": Verb("run a worker", (CONFIG,)),
    "check": Verb(
        "check the settings and show what follows from them",
        (CONFIG, arg("--connect", action="store_true", help="open every dependency"),
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
                help="where to start"),
            arg("--count", type=at_least(1, int), help="stop after this many"),
            SECONDS,
            arg("--follow", action="store_true", help="wait for more at the end"),
            arg("--table", action="store_true", help="a line a record, for people"),
        ),
    ),
    "verify": Verb(
        "prove that topics are complete, or list the holes",
        (
            arg("topics", nargs="*", metavar="TOPIC"),
            arg("--all", action="store_true", help="every feed topic of the settings"),
            CONFIG,
            JSON,
        ),
    ),
    "bench": Verb(
        "measure the path beside a naive worker and the bare floor",
        (
            arg("--rounds", type=at_least(1, int), help="turns of all; 5 if not given"),
            arg("--seconds", type=at_least(0.1), help="length of a run; else 3"),
            arg("--quick", action="store_true", help="one short round, for CI"),
            arg("--designs", help="comma-separated; all if not given"),
            arg("--kinds", help="of frames: upd5, snap25, mix; comma-separated"),
            arg("--rates", help="paced loads, frames a second; comma-separated"),
            JSON,
        ),
    ),
}  # fmt: skip

MODULES = {"schemas": "schemas_of"}  # where a verb's module has another name


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="feedbridge",
        description="A stateless bridge between trading venues and Apache Kafka.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = f"feedbridge {__version__}"
    top.add_argument("--version", action="version", version=version)
    _add_verbose(top, default=False)
    _add_verbs(top, VERBS, "verb")
    return top


def _add_verbose(to: argparse.ArgumentParser, default: object) -> None:
    to.add_argument(
        "-v", "--verbose", action="store_true", default=default, help="show tracebacks"
    )


def _add_verbs(
    to: argparse.ArgumentParser, verbs: Mapping[str, Verb], name: str
) -> None:
    below = to.add_subparsers(dest=name, metavar=name.upper(), required=True)
    for word, verb in verbs.items():
        one = below.add_parser(
            word, help=verb.text, description=verb.text, allow_abbrev=False
        )
        _add_verbose(one, default=argparse.SUPPRESS)
        for names, keywords in verb.args:
            one.add_argument(*names, **keywords)
        if verb.below:
            _add_verbs(one, verb.below, "what")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    args = parser().parse_args(argv)
    try:
        with _quiet_pipe():
            return _call(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last one to see it
        return report(error, args)


def _call(args: argparse.Namespace) -> int:
    name = MODULES.get(args.verb, args.verb)
    module = importlib.import_module(f"bridge.verbs.{name}")
    code = cast("int", module.main(args))
    sys.stdout.flush()
    return code


@contextlib.contextmanager
def _quiet_pipe() -> Iterator[None]:
    """End without a word when nobody reads our output any more."""
    try:
        yield
    except BrokenPipeError:
        # Python flushes stdout once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(FINE) from None


def report(error: Exception, args: argparse.Namespace) -> int:
    """Say what went wrong, a line for each cause, and return the exit code."""
    code = error.exit_code if isinstance(error, BridgeError) else UNEXPECTED
    if args.verbose:
        traceback.print_exception(error)
    for line in _lines(error):
        print(line, file=sys.stderr)  # noqa: T201 - the command line speaks
    if getattr(args, "json", False):
        print(json.dumps(_facts(error, code)))  # noqa: T201
    return code


def _lines(error: Exception) -> list[str]:
    if isinstance(error, ConfigError):
        count = len(error.problems)
        head = f"feedbridge: settings: {count} problem{'s' * (count > 1)}"
        return [head, *(f"  {problem}" for problem in error.problems)]
    first, *causes = _chain(error)
    hint = [] if isinstance(error, BridgeError) else ["  run with -v for a traceback"]
    return [f"feedbridge: {first}", *(f"  because: {c}" for c in causes), *hint]


def _chain(error: BaseException) -> list[str]:
    """Return one line for the error and each of its causes."""
    lines: list[str] = []
    at: BaseException | None = error
    while at is not None and len(lines) < MOST_CAUSES:
        lines.append(_line(at))
        hidden = at.__suppress_context__
        at = at.__cause__ or (None if hidden else at.__context__)
    return lines


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, BridgeError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _facts(error: Exception, code: int) -> dict[str, Any]:
    problems = error.problems if isinstance(error, ConfigError) else _chain(error)
    name = error.code if isinstance(error, BridgeError) else "UNEXPECTED"
    return {"error": {"code": name, "exit_code": code, "problems": problems}}


if __name__ == "__main__":
    sys.exit(main())
