"""`feedbridge demo --orders`: all of it holds, and the judge sees what does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest

from bridge import cli
from bridge.app.worker import Worker
from bridge.client import Client, Outcome, Phase, Response
from bridge.config import Settings
from bridge.core.envelopes import Control
from bridge.core.orders import Trading
from bridge.edge.logs import Log
from bridge.embedded import EmbeddedKafka
from bridge.simulators.finery import FineryOptions, FinerySimulator
from bridge.verbs import demo_orders
from bridge.verbs.clearing import clear
from bridge.verbs.demo_judge import Sent, Venue, judge
from bridge.verbs.demo_mix import MAKER, TAKER, Mix
from bridge.verbs.demo_sender import trade
from bridge.verbs.halt import write
from tests.support.running import Run as Running

COMMANDS = 150


class Run(NamedTuple):
    """What one run of the demo gave the judge."""

    sent: list[Sent]
    responses: list[Response]
    venue: Venue


@pytest.fixture(scope="module")
def shown() -> tuple[int, dict[str, Any], Run]:
    """Run the demo once, and keep what the judge was given."""
    kept: list[Run] = []

    def keep(
        sent: Sequence[Sent], responses: Sequence[Response], venue: Venue
    ) -> dict[str, Any]:
        kept.append(Run(list(sent), list(responses), venue))
        return judge(sent, responses, venue)

    lines: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_orders, "judge", keep)
        patch.setattr(demo_orders, "say_json", lines.append)
        argv = ["demo", "--orders", "--seconds", "8", "--json"]
        code = cli.main([*argv, "--commands", str(COMMANDS), "--seed", "3"])
    return code, lines[0], kept[0]


def test_every_response_of_the_demo_is_true(
    shown: tuple[int, dict[str, Any], Run],
) -> None:
    """Exit code 0, one final response a command, outcomes of several kinds."""
    code, facts, run = shown
    assert (code, facts["problems"], facts["true"]) == (0, 0, True)
    assert facts["finals"] == facts["commands"] == len(run.sent) >= COMMANDS
    assert {"DONE", "REJECTED", "REFUSED", "EXPIRED"} <= set(facts["outcomes"])
    assert facts["orders_at_venue"] > 20
    json.dumps(facts)


def replaced(run: Run, old: Response, **new: Any) -> Run:
    """Return the run with one response told otherwise."""
    told = msgspec.structs.replace(old, **new)
    return run._replace(responses=[told if r is old else r for r in run.responses])


def final(run: Run, kind: str, outcome: Outcome) -> Response:
    """Return the final response to some command of this kind."""
    places = {one.place for one in run.sent if one.asked.kind == kind}
    return next(
        r
        for r in run.responses
        if (r.partition, r.command_offset) in places
        and r.phase is Phase.FINAL
        and r.outcome is outcome
    )


def lie(kind: str, was: Outcome, said: Outcome) -> Callable[[Run], Run]:
    return lambda run: replaced(run, final(run, kind, was), outcome=said)


def lost(run: Run) -> Run:
    gone = final(run, "market", Outcome.DONE)
    return run._replace(responses=[r for r in run.responses if r is not gone])


def doubled(run: Run) -> Run:
    return run._replace(responses=[*run.responses, final(run, "market", Outcome.DONE)])


def corrected(run: Run) -> Run:
    one = final(run, "market", Outcome.DONE)
    more = msgspec.structs.replace(one, phase=Phase.CORRECTION)
    return run._replace(responses=[*run.responses, more])


def unknown_order(run: Run) -> Run:
    extra = {**run.venue.orders[0], "client_id": 4, "id": 1}
    return run._replace(venue=run.venue._replace(orders=[*run.venue.orders, extra]))


def executed_twice(run: Run) -> Run:
    orders = run.venue.orders
    return run._replace(venue=run.venue._replace(orders=[*orders, orders[0]]))


def asked_twice(run: Run) -> Run:
    requests = run.venue.requests
    one = next(r for r in requests if r["method"] == "add")
    return run._replace(venue=run.venue._replace(requests=[*requests, one]))


def cancelled_unsaid(run: Run) -> Run:
    requests = run.venue.requests
    one = {**requests[0], "method": "del", "content": {"orderId": 1}}
    return run._replace(venue=run.venue._replace(requests=[*requests, one]))


def wrong_number(run: Run) -> Run:
    one = next(
        r for r in run.responses if r.outcome is Outcome.REJECTED and r.method == "add"
    )
    assert one.venue_error is not None
    return replaced(run, one, venue_error=one.venue_error._replace(number=1))


def to_nobody(run: Run) -> Run:
    one = final(run, "market", Outcome.DONE)
    stray = msgspec.structs.replace(one, command_offset=10**6)
    return run._replace(responses=[*run.responses, stray])


@pytest.mark.parametrize(
    ("falsify", "words"),
    [
        (lost, "0 final responses"),
        (doubled, "2 final responses"),
        (corrected, "a correction"),
        (to_nobody, "a final response to no command"),
        (unknown_order, "an order of no command"),
        (executed_twice, "2 orders at the venue"),
        (asked_twice, "asked 2 times"),
        (cancelled_unsaid, "0 responses and 1 at the venue"),
        (wrong_number, "the venue answered"),
        (lie("market", Outcome.DONE, Outcome.REFUSED), "the venue has the order"),
        (lie("limit", Outcome.DONE, Outcome.NO_TRACE), "the venue has the order"),
        (lie("limit", Outcome.DONE, Outcome.EXPIRED), "something was sent"),
        (lie("expired", Outcome.EXPIRED, Outcome.DONE), "the venue has no such order"),
        (lie("IOC", Outcome.REJECTED, Outcome.DONE), "the venue has no such order"),
        (lie("del unknown", Outcome.REJECTED, Outcome.DONE), "1 at the venue"),
        (lie("read", Outcome.DONE, Outcome.UNRESOLVED), "UNRESOLVED"),
        (lie("repeat", Outcome.DONE, Outcome.REJECTED), "the first"),
    ],
)
def test_the_judge_sees_what_is_not_true(
    falsify: Callable[[Run], Run],
    words: str,
    shown: tuple[int, dict[str, Any], Run],
) -> None:
    """Each way in which a response or the venue could be wrong is a problem."""
    verdict = judge(*falsify(shown[2]))
    assert verdict["problems"] >= 1
    assert any(words in problem for problem in verdict["first_problems"])


def test_the_same_seed_makes_the_same_choices() -> None:
    """A run that failed can be made again."""
    mixes = [Mix(seed, lambda: 0) for seed in (5, 5, 6)]
    made = [[mix.next() for _ in range(200)] for mix in mixes]
    assert made[0] == made[1]
    assert made[0] != made[2]
    assert len({asked.kind for asked in made[0]}) > 8


def halted(account: str) -> Control:
    return Control(account=account, state=Trading.HALTED, reason="t", by="t", at_ms=1)


def test_halt_with_cancel_all_empties_an_account_at_the_venue(run: Running) -> None:
    """Resting and pending orders go, new ones are refused, and it is proved."""

    async def story() -> None:
        with EmbeddedKafka() as kafka:
            async with FinerySimulator(FineryOptions(desk_rate=0)) as venue:
                settings = demo_orders.settings_of(kafka.bootstrap, venue)
                demo_orders._create_topics(kafka, settings)
                stop = asyncio.Event()
                worker = asyncio.create_task(
                    Worker(settings, Log("error", "text")).run(stop)
                )
                await halt_both(settings, venue)
                stop.set()
                assert await worker == 0

    run(story())


async def halt_both(settings: Settings, venue: FinerySimulator) -> None:
    sent = await trade(settings, 40, 2, 2.0)
    assert len(sent) >= 40
    for name in (MAKER, TAKER):
        options = settings.kafka.properties()
        async with Client(options, account=name) as client:
            for method, content in rest(name):
                order = await (await client.submit(method, content)).final(10)
                assert order.outcome is Outcome.DONE
            number = venue.account(name).id
            assert venue.venue.live.get(number)
            await write(settings, halted(name))
            cleared = await clear(client)
            assert (cleared["empty"], cleared["left"]) == (True, [])
            assert not venue.venue.live.get(number)
            method, content = rest(name)[0]
            again = await (await client.submit(method, content)).final(10)
            assert (again.outcome, again.code) == (Outcome.REFUSED, "TRADING_HALTED")


def rest(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return an order of the account that stays in the book, or pending."""
    order = {
        "instrument": "ETH-USD",
        "priceE8": 1_000 * 10**8,
        "sizeE8": 10**7,
        "side": "BID",
    }
    if name == MAKER:
        return [("add", {**order, "type": "LIMIT"})]
    return [("pending/add", order)]
