"""What must hold between the settings of the command topics: more of `config.rules`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from bridge.config.commands import CommandTopic
from bridge.config.environment import near
from bridge.config.problems import Broken
from bridge.config.tree import Settings
from bridge.core.routing import topic_problem

Found = Iterator[Broken]

# The venue holds back a taker's order this long; source: Finery docs, toxic flow
# protection, newest copy.
VENUE_DELAY_MS = 100
SETTLE_MARGIN_MS = 1_000
HOUR_S = 3_600
# What belongs to an account and its one connection, whichever topic a command is from.
SHARED = (
    "orders_per_second",
    "max_rejections",
    "rejection_pause_s",
    "answer_timeout_ms",
    "user_timeout_ms",
    "settle_ms",
    "max_waiting",
)


def trading(settings: Settings) -> set[str]:
    """Return the names of the accounts that command topics may use."""
    return {name for part in settings.commands.values() for name in part.accounts}


def _names(settings: Settings) -> Found:
    for topic, part in settings.commands.items():
        places = {f"commands.{topic}": topic, _at(topic, "responses"): part.responses}
        replies = [(_at(topic, "reply_to"), name) for name in part.reply_to]
        for place, name in (*places.items(), *replies):
            if problem := topic_problem(name):
                yield Broken(place, f"{name!r} is a name, {problem}")


def _apart(settings: Settings) -> Found:
    """Yield topics with two uses: each has one writer, and one meaning."""
    own = set(settings.topics.own().values())
    counts = Counter(part.responses for part in settings.commands.values())
    for topic, part in settings.commands.items():
        place = _at(topic, "responses")
        if topic in own:
            yield Broken(f"commands.{topic}", "is a topic of feedbridge's own")
        if part.responses in own:
            yield Broken(place, f"{part.responses} is a topic of feedbridge's own")
        if part.responses in settings.commands:
            yield Broken(place, f"{part.responses} is a command topic; use another")
        if counts[part.responses] > 1:
            yield Broken(
                place,
                f"{part.responses} is given {counts[part.responses]} times; each "
                "command topic needs its own, since it is the journal of the claims",
            )


def _replies(settings: Settings) -> Found:
    taken = {
        *settings.topics.own().values(),
        *settings.commands,
        *(part.responses for part in settings.commands.values()),
    }
    for topic, part in settings.commands.items():
        for name in part.reply_to:
            if name in taken:
                yield Broken(
                    _at(topic, "reply_to"),
                    f"{name} has another use; name a topic of the senders' own",
                )


def _accounts(settings: Settings) -> Found:
    for topic, part in settings.commands.items():
        for name, count in Counter(part.accounts).items():
            if name not in settings.finery:
                hint = near(name, settings.finery) or "; add it under finery"
                yield Broken(_at(topic, "accounts"), f"no account {name}{hint}")
            if count > 1:
                yield Broken(_at(topic, "accounts"), f"{name} is named twice; keep one")


def _shared(settings: Settings) -> Found:
    """Yield what an account is given on one topic and not on another."""
    first: dict[str, tuple[str, CommandTopic]] = {}
    for topic, part in settings.commands.items():
        for account in part.accounts:
            other, its = first.setdefault(account, (topic, part))
            for name in SHARED:
                here, there = getattr(part, name), getattr(its, name)
                if here != there:
                    yield Broken(
                        _at(topic, name),
                        f"is {here}, and {there} for {other}; both send through the "
                        f"one connection of {account}: give the same",
                    )


def _times(settings: Settings) -> Found:
    for topic, part in settings.commands.items():
        least = part.user_timeout_ms + VENUE_DELAY_MS + SETTLE_MARGIN_MS
        if part.settle_ms < least:
            yield Broken(
                _at(topic, "settle_ms"),
                f"{part.settle_ms} ms end before late bytes must have arrived "
                f"(user_timeout_ms, {VENUE_DELAY_MS} ms at the venue, and a margin of "
                f"{SETTLE_MARGIN_MS} ms); give at least {least}",
            )
        if part.default_deadline_ms > part.max_deadline_ms:
            yield Broken(
                _at(topic, "default_deadline_ms"),
                f"{part.default_deadline_ms} ms are above max_deadline_ms "
                f"({part.max_deadline_ms}); lower it, or raise the other",
            )


def _retention(settings: Settings) -> Found:
    for topic, part in settings.commands.items():
        own = part.retention_hours is not None
        hours = part.retention_hours or settings.topics.retention_hours
        needed = (
            part.dedup_window_s + part.resolve_limit_s + part.max_deadline_ms / 1000
        )
        if hours is not None and hours * HOUR_S < needed:
            place = _at(topic, "retention_hours") if own else "topics.retention_hours"
            yield Broken(
                place,
                f"{hours:g} h are shorter than what {topic} must remember; give at "
                f"least {needed / HOUR_S:.2f}, or lower dedup_window_s",
            )


def _limits(settings: Settings) -> Found:
    for topic, part in settings.commands.items():
        for name in _unused(part):
            yield Broken(
                _at(topic, f"limits.{name}"),
                f"{name} is not among instruments; add it there, or remove the limit",
            )


def _unused(part: CommandTopic) -> list[str]:
    allowed = part.instruments
    return [name for name in part.limits if allowed and name not in allowed]


def _at(topic: str, name: str) -> str:
    return f"commands.{topic}.{name}"


COMMAND_RULES: tuple[Callable[[Settings], Found], ...] = (
    _names,
    _apart,
    _replies,
    _accounts,
    _shared,
    _times,
    _retention,
    _limits,
)
