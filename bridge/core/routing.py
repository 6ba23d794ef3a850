"""Where a record goes: the topic's name and the partition of its subscription."""

from __future__ import annotations

import re
import string

from bridge.errors import ConfigError

DEFAULT_TEMPLATE = "{venue}.{stream}"
MAX_TOPIC_LENGTH = 249  # Kafka: org.apache.kafka.common.internals.Topic
_NAMES = ("venue", "source", "stream", "feed_id")
_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
_MIX = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Hash `data` as Kafka's Java client does; unsigned, 32 bits.

    Source: Apache Kafka, org.apache.kafka.common.utils.Utils.murmur2.
    """
    size = len(data)
    whole = size & ~3
    value = _SEED ^ size
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * _MIX & _MASK
        word = (word ^ word >> 24) * _MIX & _MASK
        value = value * _MIX & _MASK ^ word
    if size > whole:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MIX & _MASK
    value = (value ^ value >> 13) * _MIX & _MASK
    return value ^ value >> 15


def partition(key: bytes, count: int) -> int:
    """Return the partition, out of `count`, where Kafka's Java client puts `key`."""
    return (murmur2(key) & 0x7FFFFFFF) % count


def topic_name(
    template: str, *, venue: str, source: str, stream: str, feed_id: str
) -> str:
    """Fill `template`; separators left dangling by an empty feed id are dropped.

    Raises:
        ConfigError: the template has an unknown field, or the name is not legal.
    """
    check_template(template)
    name = template.format(venue=venue, source=source, stream=stream, feed_id=feed_id)
    if not feed_id:
        name = name.strip("._-")
    if problem := topic_problem(name):
        raise ConfigError([f"topics.template: {template!r} makes {name!r}, {problem}"])
    return name


def check_template(template: str) -> None:
    """Refuse a template with anything but the four plain field names in braces."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise _wrong(template, str(error)) from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in _NAMES or form or conversion):
            raise _wrong(template, f"field {name!r} is not known")


def _wrong(template: str, problem: str) -> ConfigError:
    known = ", ".join(f"{{{name}}}" for name in _NAMES)
    return ConfigError([f"topics.template: {template!r}: {problem}; use {known}"])


def topic_problem(name: str) -> str | None:
    """Say why Kafka would refuse a topic of this name; None if it would not."""
    if name in {"", ".", ".."}:
        return "which is no topic name"
    if len(name) > MAX_TOPIC_LENGTH:
        return f"which is longer than {MAX_TOPIC_LENGTH} characters"
    if not _LEGAL.fullmatch(name):
        return "but a topic name has only letters, digits, dot, underscore and hyphen"
    return None
