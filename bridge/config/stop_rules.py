"""What must hold between the times of a stop: more of `config.rules`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bridge.config.problems import Broken
from bridge.config.tree import Settings

Found = Iterator[Broken]

FLUSH_MARGIN_S = 2.0
# Of the grace, commands and handovers have what these leave: leaving the groups and
# closing their clients, and what follows the last flush.
LEAVE_S = 10.0
MARGIN_S = 1.0


def _flush(settings: Settings) -> Found:
    grace, flush = settings.stop.grace_seconds, settings.kafka.flush_timeout_s
    if grace < flush + FLUSH_MARGIN_S:
        yield Broken(
            "stop.grace_seconds",
            f"{grace:g} s leave no time to flush for kafka.flush_timeout_s "
            f"({flush:g} s); give at least {flush + FLUSH_MARGIN_S:g}",
        )


def _answers(settings: Settings) -> Found:
    grace, kept = settings.stop.grace_seconds, LEAVE_S + MARGIN_S
    for topic, part in settings.commands.items():
        answer = part.answer_timeout_ms / 1000
        if grace < answer + kept:
            yield Broken(
                "stop.grace_seconds",
                f"{grace:g} s leave commands of {topic} no time for their answers "
                f"(answer_timeout_ms, {answer:g} s), since a stop keeps {kept:g} s to "
                f"leave Kafka in order; give at least {answer + kept:g}, or lower "
                f"commands.{topic}.answer_timeout_ms",
            )


STOP_RULES: tuple[Callable[[Settings], Found], ...] = (_flush, _answers)
