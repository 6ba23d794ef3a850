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
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from bridge import __version__
from bridge.errors import BridgeError, ConfigError
from bridge.verbs.table import MODULES, VERBS, Verb

FINE, UNEXPECTED, INTERRUPTED = 0, 1, 130
MOST_CAUSES = 10

EPILOG = """\
exit codes: 0 fine, 1 unexpected, 2 settings or usage, 3 venue refused the login,
4 schema, 5 Kafka, 6 something was left undelivered or is missing, 130 interrupted;
send: 0 done, 10 rejected, 11 refused, 12 expired, 13 no trace, 14 unresolved,
15 no final response yet, 16 corrected
"""


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
