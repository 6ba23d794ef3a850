"""Every alert in a real run: the trouble is made, Prometheus sees it and raises it.

A worker process serves its real `/metrics`; a real Prometheus scrapes them twice a
second and evaluates the rules of the chart. Of the rules only times are changed, by
`tests.support.prometheus.hastened` and `tests.alerts.stage.THRESHOLDS`; that the true
ones wait as long as they should is shown by promtool (rules_test.yaml).
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from bridge.core.metric_table import PREFIX
from bridge.core.orders import Outcome, Phase, Trading
from bridge.embedded import EmbeddedKafka
from tests.alerts.stage import BOOKS, COMMANDS, Stage, staged
from tests.alerts.test_dashboard import expressions
from tests.support.certificates import make_certificates
from tests.support.processes import venue
from tests.support.prometheus import alerts
from tests.support.promql import asked
from tests.support.running import wait_until
from tests.support.skewed import skewed

pytestmark = pytest.mark.timeout(180)

FIND_COORDINATOR, PRODUCE = 10, 0  # api keys
COORDINATOR_NOT_AVAILABLE, MSG_SIZE_TOO_LARGE = 15, 10  # error numbers
MADE: set[str] = set()

Test = TypeVar("Test", bound=Callable[..., None])


def makes(*names: str) -> Callable[[Test], Test]:
    """Note which alerts a test makes fire."""
    MADE.update(names)
    return lambda test: test


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run everything once, for troubles that pass."""
    with staged(tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.fixture
def stage(shared: Stage) -> Stage:
    """Return the shared stage when everything is well again."""
    shared.quiet()
    return shared


def test_a_worker_exports_whatever_rules_and_dashboard_ask_for(stage: Stage) -> None:
    """The table could name what no worker fills; this asks the worker itself."""
    exported = set(re.findall(r"^# TYPE (\S+)", stage.metrics(), re.MULTILINE))
    wanted = [*expressions(), *(rule["expr"] for rule in alerts())]
    named = {series for one in wanted for series, _ in asked(one, PREFIX).series}
    # Without TLS there is no certificate; another test here has one.
    named.discard("feedbridge_certificate_expiry_timestamp_seconds")
    assert {name.removesuffix("_bucket") for name in named} <= exported


@makes("FeedbridgeFeedSilent", "FeedbridgeFeedStale", "FeedbridgeWorkerNotReady")
def test_a_venue_that_falls_silent(stage: Stage) -> None:
    stage.finery.do("mute")
    stage.sees("FeedbridgeFeedSilent", "FeedbridgeFeedStale")
    stage.sees("FeedbridgeWorkerNotReady")
    stage.finery.do("unmute")
    stage.resolved("FeedbridgeFeedSilent", "FeedbridgeFeedStale")


@makes("FeedbridgeGaps")
def test_a_book_that_contradicts_itself_again_and_again(stage: Stage) -> None:
    def gap() -> None:
        stage.finery.do("unknown_level", feed="F", feed_id="BTC-USD")

    _again_and_again(gap, lambda: stage.sees("FeedbridgeGaps", limit_s=1.0))
    stage.finery.do("clear")
    stage.resolved("FeedbridgeGaps")


@makes("FeedbridgeDeadLetters")
def test_a_message_that_nobody_can_read(stage: Stage) -> None:
    stage.finery.do("inject", text="no json")
    stage.sees("FeedbridgeDeadLetters")
    stage.resolved("FeedbridgeDeadLetters")


@makes("FeedbridgeKafkaQueue", "FeedbridgeNotDelivering")
def test_a_broker_that_is_away(stage: Stage) -> None:
    stage.kafka.broker_down()
    stage.finery.do("flood", rate=200, instruments=["BTC-USD", "ETH-USD"])
    stage.sees("FeedbridgeKafkaQueue", "FeedbridgeNotDelivering")
    stage.finery.do("stop_flood")
    stage.kafka.broker_up()
    stage.resolved("FeedbridgeKafkaQueue", "FeedbridgeNotDelivering")


@makes("FeedbridgeKafkaRefuses")
def test_a_broker_that_refuses_records(stage: Stage) -> None:
    stage.kafka.fail_requests(PRODUCE, [MSG_SIZE_TOO_LARGE] * 3)
    stage.sees("FeedbridgeKafkaRefuses")
    stage.kafka.clear_errors(PRODUCE)
    stage.resolved("FeedbridgeKafkaRefuses")


@makes("FeedbridgeTradingHalted")
def test_an_account_that_is_halted(stage: Stage) -> None:
    stage.trading(Trading.HALTED)
    stage.sees("FeedbridgeTradingHalted")
    stage.trading(Trading.ACTIVE)
    stage.resolved("FeedbridgeTradingHalted")


@makes("FeedbridgeCommandInDoubt", "FeedbridgeCommandUnresolved")
def test_a_reply_that_is_lost_and_cannot_be_looked_up(stage: Stage) -> None:
    stage.finery.do("lose_reply", method="setUserSettings", times=1)
    stage.send("lost", "setUserSettings")
    stage.sees("FeedbridgeCommandInDoubt")
    stage.sees("FeedbridgeCommandUnresolved")
    stage.resolved("FeedbridgeCommandInDoubt", "FeedbridgeCommandUnresolved")


@makes("FeedbridgeLeaseLapses")
def test_a_worker_that_stands_still(stage: Stage) -> None:
    stage.worker.process.send_signal(signal.SIGSTOP)
    time.sleep(4)  # longer than the lease of 1.7 s; nobody's clock can be passed in
    stage.worker.process.send_signal(signal.SIGCONT)
    stage.sees("FeedbridgeLeaseLapses")
    stage.resolved("FeedbridgeLeaseLapses")


@makes("FeedbridgeSharesOrphaned")
def test_a_stranger_that_takes_shares(stage: Stage) -> None:
    """What it owns, nobody runs; the worker has the rest, and all is back after it."""
    with stage.stranger("feedbridge", "feedbridge.assignment"):
        stage.sees("FeedbridgeSharesOrphaned")
    stage.resolved("FeedbridgeSharesOrphaned")


@makes("FeedbridgeCommandsOrphaned")
def test_a_stranger_that_takes_command_partitions(stage: Stage) -> None:
    with stage.stranger("feedbridge.commands", COMMANDS):
        stage.sees("FeedbridgeCommandsOrphaned")
    stage.resolved("FeedbridgeCommandsOrphaned")


@makes("FeedbridgeNoWorker")
def test_no_worker_at_all(stage: Stage) -> None:
    """The last one on the shared stage: its worker ends."""
    assert stage.worker.stop(signal.SIGTERM) == 0
    stage.sees("FeedbridgeNoWorker")


@makes("FeedbridgeDoubleFinals", "FeedbridgeCorrections")
def test_finals_that_another_worker_wrote(tmp_path: Path) -> None:
    """A second final that differs, then a correction, as a frozen worker writes them.

    Both need two workers and a freeze between a look at the clock and a write; here
    the log is what such a pair leaves, and the worker that reads it is real.
    """
    with staged(tmp_path) as stage:
        stage.quiet()
        stage.send("first", "positions")
        wait_until(lambda: stage.answered() == 1, "the final response")
        stage.journal(Phase.FINAL, Outcome.NO_TRACE, 0)
        stage.sees("FeedbridgeDoubleFinals")
        stage.journal(Phase.CORRECTION, Outcome.DONE, 0)
        stage.sees("FeedbridgeCorrections")


@makes("FeedbridgeCommandsUnowned", "FeedbridgeSharesUnowned")
def test_groups_that_cannot_be_joined(tmp_path: Path) -> None:
    def refuse(kafka: EmbeddedKafka) -> None:
        kafka.fail_requests(FIND_COORDINATOR, [COORDINATOR_NOT_AVAILABLE] * 10_000)

    with staged(tmp_path, refuse) as stage:
        stage.sees("FeedbridgeCommandsUnowned", "FeedbridgeSharesUnowned")
        stage.kafka.clear_errors(FIND_COORDINATOR)
        stage.resolved("FeedbridgeCommandsUnowned", "FeedbridgeSharesUnowned")


@makes("FeedbridgeRotationFailing")
def test_a_new_login_that_does_not_work(tmp_path: Path) -> None:
    """The file of the secret changes to a wrong one, and back."""
    (tmp_path / "other").mkdir()
    with venue(tmp_path / "other", "finery") as other:
        files = {word: tmp_path / word for word in ("key", "secret")}
        for word, file in files.items():
            file.write_text(other.facts[word])
        login = {f"{word}_file": str(file) for word, file in files.items()}
        account = {"url": other.facts["url"], "subscriptions": [BOOKS[0]], **login}
        with staged(tmp_path, more_accounts={"filed": account}) as stage:
            stage.quiet()
            files["secret"].write_text("wrong")
            stage.sees("FeedbridgeRotationFailing")
            files["secret"].write_text(other.facts["secret"])
            stage.resolved("FeedbridgeRotationFailing")
            assert set(stage.watch.states()) == set()


@makes("FeedbridgeClockSkew", "FeedbridgeCertificateExpiry")
def test_a_venue_with_a_wrong_clock_and_one_with_an_old_certificate(
    tmp_path: Path,
) -> None:
    """Both are seen at the handshake; the certificate is valid for one more day."""
    made = make_certificates(tmp_path)
    tls = ("--tls-cert", str(made.server), "--tls-key", str(made.server))
    (tmp_path / "tls").mkdir()
    with venue(tmp_path / "tls", "finery", *tls) as old:
        further = {"old": {"url": old.facts["url"], "subscriptions": [BOOKS[0]]}}
        with staged(
            tmp_path,
            door=lambda port: skewed(port, timedelta(hours=1)),
            more_accounts=further,
            transport={"ca_file": str(made.authority)},
        ) as stage:
            stage.sees("FeedbridgeClockSkew", "FeedbridgeCertificateExpiry")


def test_no_alert_is_left_out() -> None:
    assert {rule["alert"] for rule in alerts()} == MADE


def _again_and_again(do: Callable[[], None], seen: Callable[[], None]) -> None:
    for _ in range(25):
        do()
        try:
            seen()
        except AssertionError:
            continue
        return
    seen()
