"""`feedbridge simulate`: a local venue, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bridge.errors import ConfigError
from bridge.simulators.cfbenchmarks import CfBenchmarksOptions, CfBenchmarksSimulator
from bridge.simulators.finery import Era, FineryOptions, FinerySimulator
from bridge.verbs.out import say, say_json

Facts = Mapping[str, Any]


class Kind(NamedTuple):
    """How to make one venue's simulator, and what to say about it."""

    make: Callable[[argparse.Namespace], Any]
    login: Callable[[Any], Facts]


def main(args: argparse.Namespace) -> int:
    """Serve until SIGINT, SIGTERM, or the end of --seconds."""
    try:
        asyncio.run(_serve(args))
    except OSError as error:
        problem = f"simulate: cannot listen on {args.host}: {error.strerror or error}"
        raise ConfigError([problem]) from error
    return 0


async def _serve(args: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if args.seconds is not None:
        loop.call_later(args.seconds, stop.set)
    kind = KINDS[args.what]
    async with kind.make(args) as simulator:
        _tell(args, simulator, kind.login(simulator))
        await stop.wait()


def _tell(args: argparse.Namespace, simulator: Any, login: Facts) -> None:  # noqa: ANN401 - either simulator
    facts = {
        "venue": args.what,
        "url": simulator.url,
        "control": f"{args.host}:{simulator.control_port}",
        **login,
    }
    if args.json:
        say_json(facts)
    else:
        for name, value in facts.items():
            say(f"{name}: {value}")
    sys.stdout.flush()


def _given(args: argparse.Namespace, **names: str) -> dict[str, Any]:
    """Return the options that were given, under the names that they take."""
    found = {name: getattr(args, mine) for name, mine in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def _tls_files(args: argparse.Namespace) -> tuple[str, str] | None:
    if (args.tls_cert is None) != (args.tls_key is None):
        raise ConfigError(["simulate: --tls-cert and --tls-key go together; give both"])
    return (str(args.tls_cert), str(args.tls_key)) if args.tls_cert else None


def _finery(args: argparse.Namespace) -> FinerySimulator:
    files = _tls_files(args) or (None, None)
    options = FineryOptions(
        **_given(args, host="host", port="port", control_port="control_port",
                 seed="seed", speed="speed", instruments="instruments", rate="rate"),
        era=Era(args.era),
        tls_certificate=files[0],
        tls_key=files[1],
    )  # fmt: skip
    return FinerySimulator(options)


def _cfbenchmarks(args: argparse.Namespace) -> CfBenchmarksSimulator:
    files, context = _tls_files(args), None
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    ids = tuple(args.indices.split(",")) if args.indices else None
    options = CfBenchmarksOptions(
        **_given(args, address="host", port="port", control_port="control_port",
                 seed="seed", speed="speed"),
        ids=ids,
        tls=context,
    )  # fmt: skip
    return CfBenchmarksSimulator(options)


KINDS: Mapping[str, Kind] = {
    "finery": Kind(_finery, lambda s: {"key": s.key, "secret": s.secret}),
    "cfbenchmarks": Kind(
        _cfbenchmarks, lambda s: {"user": s.user, "password": s.password}
    ),
}
