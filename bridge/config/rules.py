"""What must hold between settings: a table of rules, each a sentence a problem.

A rule takes the settings and yields (path, sentence). A sentence says what was seen
and what to do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, SecretStr

from bridge.config.command_rules import COMMAND_RULES, trading
from bridge.config.environment import near, variable
from bridge.config.problems import DROPPED, Broken
from bridge.config.sections import read_secret
from bridge.config.stop_rules import STOP_RULES
from bridge.config.tree import Settings
from bridge.core.routing import check_template, topic_problem
from bridge.errors import ConfigError
from bridge.venues import VENUES
from bridge.venues.base import Source

Found = Iterator[Broken]
Rule = Callable[[Settings], Found]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

# librdkafka properties that feedbridge's promises rest on -> what to do instead.
OWNED = {
    "bootstrap.servers": "set kafka.bootstrap_servers",
    "metadata.broker.list": "set kafka.bootstrap_servers",
    "acks": "remove it; every record waits for all replicas",
    "request.required.acks": "remove it; every record waits for all replicas",
    "enable.idempotence": "remove it; the order of records rests on it",
    "transactional.id": "remove it; feedbridge uses no transactions",
    "delivery.report.only.error": "remove it; every delivery is counted",
    "partitioner": "remove it; feedbridge chooses the partition",
    "queue.buffering.max.kbytes": "set kafka.queue_megabytes",
    "queue.buffering.max.messages": "set kafka.queue_messages",
    "message.copy.max.bytes": "remove it; the memory budget rests on it",
}
# Values that change nothing, as templates of settings often have them.
KEPT = {
    "acks": ("all", "-1"),
    "request.required.acks": ("all", "-1"),
    "enable.idempotence": ("true",),
    "delivery.report.only.error": ("false",),
}


def _owned_options(settings: Settings) -> Found:
    names = [*settings.kafka.options, *settings.kafka.option_files]
    for name in names:
        value = settings.kafka.options.get(name, "")
        if name in OWNED and value.lower() not in KEPT.get(name, ()):
            yield Broken(f"kafka.options.{name}", f"is feedbridge's own; {OWNED[name]}")


def _option_files(settings: Settings) -> Found:
    for name, path in settings.kafka.option_files.items():
        place = f"kafka.option_files.{name}"
        if name in settings.kafka.options:
            yield Broken(place, "is set in kafka.options, too; keep one of them")
        if problem := _unreadable(path, secret=True):
            yield Broken(place, problem)


def _message_fits(settings: Settings) -> Found:
    limit = settings.kafka.options.get("message.max.bytes", "1000000")
    part = settings.dead_letter.part_kilobytes
    if limit.isdigit() and part * 1000 >= int(limit):
        yield Broken(
            "dead_letter.part_kilobytes",
            f"{part} kB do not fit into a message of {limit} bytes; lower it, or raise "
            "message.max.bytes in kafka.options",
        )


def _ping(settings: Settings) -> Found:
    interval, idle = settings.transport.ping_interval_s, 80
    if interval + settings.transport.ping_timeout_s >= idle:
        yield Broken(
            "transport.ping_timeout_s",
            f"a dead connection would be noticed after the {idle} s for which a venue "
            "waits; lower it, or ping_interval_s",
        )


def _template(settings: Settings) -> Found:
    template = settings.topics.template
    try:
        check_template(template)
    except ConfigError as error:
        yield Broken("topics.template", str(error).removeprefix("topics.template: "))
        return
    if "{stream}" not in template:
        yield Broken("topics.template", f"{template!r} mixes streams; add {{stream}}")
    venues = {venue for venue, _ in settings.accounts()}
    apart = "{venue}" in template or "{source}" in template
    if len(venues) > 1 and not apart:
        yield Broken("topics.template", f"{template!r} mixes venues; add {{venue}}")


def _own_topics(settings: Settings) -> Found:
    first: dict[str, str] = {}
    for name, topic in settings.topics.own().items():
        if problem := topic_problem(topic):
            yield Broken(f"topics.{name}", f"{topic!r} is a name, {problem}")
        other = first.setdefault(topic, name)
        if other != name:
            yield Broken(f"topics.{name}", f"is the topic of {other}, too")


def _overrides(settings: Settings) -> Found:
    streams = [f"{v.name}.{s}" for v in VENUES.values() for s in v.streams]
    for name in settings.topics.overrides:
        if name not in streams:
            hint = near(name, streams) or "; `feedbridge schemas list` shows them"
            yield Broken(f"topics.overrides.{name}", f"no such stream{hint}")


def _registry(settings: Settings) -> Found:
    registry = settings.registry
    if registry.url is not None:
        yield from _url("registry.url", registry.url, {"http", "https"})
    if registry.password is not None and registry.password_file is not None:
        yield Broken("registry.password", "is set beside its file; keep one")
    if bool(registry.password or registry.password_file) != bool(registry.username):
        yield Broken("registry.username", "set name and password, or none")
    file = registry.password_file
    if file and (problem := _unreadable(file, secret=True)):
        yield Broken("registry.password_file", problem)


def _certificates(settings: Settings) -> Found:
    files = {
        "registry": settings.registry.ca_file,
        "transport": settings.transport.ca_file,
    }
    for name, path in files.items():
        if path is not None and (problem := _unreadable(path, secret=False)):
            yield Broken(f"{name}.ca_file", problem)


def _urls(settings: Settings) -> Found:
    for (venue, name), part in settings.accounts().items():
        yield from _url(f"{venue}.{name}.url", part.url, {"ws", "wss"})


def _url(path: str, url: str, schemes: set[str]) -> Found:
    parts = _split(url)
    wanted = " or ".join(f"{scheme}://" for scheme in sorted(schemes))
    if parts is None or parts[0] not in schemes or not parts[1]:
        yield Broken(path, f"is not an address; begin with {wanted} and a host")
    elif parts[2]:
        yield Broken(path, "holds a login; remove it and use the settings for it")


def _split(url: str) -> tuple[str, str | None, bool] | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return parts.scheme, host, "@" in parts.netloc


def _names(settings: Settings) -> Found:
    for venue, name in settings.accounts():
        if not _NAME.fullmatch(name):
            yield Broken(f"{venue}.{name}", "is no name; use A-Z a-z 0-9 . _ -")
    counts = Counter(name for _, name in settings.accounts())
    for name, count in counts.items():
        if count > 1:
            yield Broken(
                f"cfbenchmarks.{name}",
                f"finery has an account {name}, too, so their records could not be "
                "told apart; rename one",
            )


def _logins(settings: Settings) -> Found:
    for (venue, name), part in settings.accounts().items():
        for secret in _secrets_of(part):
            path = f"{venue}.{name}.{secret}"
            if problem := _login_problem(part, secret, path):
                by_file = getattr(part, secret) is None and getattr(
                    part, f"{secret}_file"
                )
                yield Broken(f"{path}_file" if by_file else path, problem)


def _usable(settings: Settings) -> Found:
    """Yield what the venues say of logins that are there."""
    known = {broken.path for broken in _logins(settings)}
    for source in settings.sources():
        path = f"{source.venue}.{source.name}"
        if not any(name.startswith(f"{path}.") for name in known):
            login = settings.credentials(source)
            for problem in VENUES[source.venue].unusable(source, login):
                yield Broken(path, problem)


def _secrets_of(part: BaseModel) -> list[str]:
    names = type(part).model_fields
    return [name for name in names if f"{name}_file" in names]


def _login_problem(part: BaseModel, name: str, path: str) -> str | None:
    value: SecretStr | None = getattr(part, name)
    file: Path | None = getattr(part, f"{name}_file")
    if value is not None and file is not None:
        return f"is set beside {name}_file; keep one of them"
    if file is not None:
        return _unreadable(file, secret=True)
    if value is None or not value.get_secret_value():
        return f"is missing; set {path}_file or the variable {variable(path)}"
    return None


def _unreadable(path: Path, *, secret: bool) -> str | None:
    try:
        empty = not read_secret(None, path)
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "not text"
        return f"{path} cannot be read: {words}; check the path"
    what = "a secret" if secret else "certificates"
    return f"{path} is empty; write {what} into it" if empty else None


def _subscriptions(settings: Settings) -> Found:
    for source in settings.sources():
        place = f"{source.venue}.{source.name}.subscriptions"
        readable = _readable(source)
        told = [
            problem
            for problem in VENUES[source.venue].problems(readable)
            if not problem.startswith("url:")  # a rule of its own, above
        ]
        for sentence in [*told, *_repeated(readable, told)]:
            yield Broken(place, sentence)


def _something_wanted(settings: Settings) -> Found:
    for source in settings.sources():
        if not source.wanted and source.name not in trading(settings):
            place = f"{source.venue}.{source.name}.subscriptions"
            yield Broken(place, "is empty; name at least one subscription")


def _repeated(source: Source, told: Sequence[str]) -> Iterator[str]:
    for name, count in Counter(wanted.name for wanted in source.wanted).items():
        if count > 1 and not any(line.startswith(f"{name}:") for line in told):
            yield f"{name}: is asked for {count} times; keep one, or give labels"


def _readable(source: Source) -> Source:
    wanted = tuple(w for w in source.wanted if w.stream != DROPPED)
    return msgspec.structs.replace(source, wanted=wanted)


RULES: tuple[Rule, ...] = (
    _owned_options,
    _option_files,
    _message_fits,
    *STOP_RULES,
    _ping,
    _registry,
    _certificates,
    _template,
    _own_topics,
    _overrides,
    _urls,
    _names,
    _subscriptions,
    *COMMAND_RULES,
)
LOGIN_RULES: tuple[Rule, ...] = (_something_wanted, _logins, _usable)
