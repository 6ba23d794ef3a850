"""The values of one look at a worker, and Prometheus's text format for them.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
Names and labels come from `core.metric_table` alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple, TypeVar

from bridge.core.metric_table import BUCKETS_S, BY_NAME, TABLE, Metric, values_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})

Labels = tuple[str, ...]
SomeLabels = TypeVar("SomeLabels", bound=Labels)
Bounds = Mapping[str, Iterable[str]]


class Spread(NamedTuple):
    """A histogram: counts up to each bound of `BUCKETS_S` and above all; their sum."""

    counts: Sequence[int]
    sum_s: float


class Samples:
    """The values of all metrics at one moment, by name and label values."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._found: dict[str, dict[Labels, float | Spread]] = {
            m.name: {} for m in TABLE
        }

    def put(self, name: str, value: float | Spread, *labels: str) -> None:
        """Set one series; raises KeyError for a name that the table does not have."""
        self._found[name][labels] = value

    def put_all(self, name: str, values: Mapping[SomeLabels, float]) -> None:
        """Set several series at once."""
        for labels, value in values.items():
            self._found[name][labels] = value

    def zeros(self, name: str, bounds: Bounds) -> None:
        """Begin every series at 0; `bounds` gives the values that the settings set."""
        metric = BY_NAME[name]
        axes = [values_of(metric, label) or bounds[label] for label in metric.labels]
        self._found[name].update(dict.fromkeys(product(*axes), 0))

    def one_of(self, name: str, value: str, *before: str) -> None:
        """Set 1 for `value` of the last label, and 0 for its other values."""
        metric = BY_NAME[name]
        for other in values_of(metric, metric.labels[-1]) or ():
            self.put(name, int(other == value), *before, other)

    def text(self) -> str:
        """Write everything that has a value, in the order of the table."""
        return "".join(line for m in TABLE for line in _lines(m, self._found[m.name]))


def _lines(metric: Metric, found: Mapping[Labels, float | Spread]) -> Iterable[str]:
    if not found:
        return
    name = metric.full_name
    yield f"# HELP {name} {metric.help.translate(_HELP_ESCAPES)}\n"
    yield f"# TYPE {name} {metric.kind}\n"
    for labels, value in found.items():
        pairs = _pairs(metric.labels, labels)
        if isinstance(value, Spread):
            yield from _buckets(name, pairs, value)
        else:
            yield f"{name}{_braced(pairs)} {number(value)}\n"


def _buckets(name: str, pairs: str, spread: Spread) -> Iterable[str]:
    total, before = 0, f"{pairs}," if pairs else ""
    for bound, count in zip((*BUCKETS_S, math.inf), spread.counts, strict=True):
        total += count
        yield f'{name}_bucket{{{before}le="{number(bound)}"}} {total}\n'
    yield f"{name}_sum{_braced(pairs)} {number(spread.sum_s)}\n"
    yield f"{name}_count{_braced(pairs)} {total}\n"


# Most series are there at every look, and many metrics have the same labels.
@lru_cache(maxsize=20_000)
def _pairs(names: Labels, values: Labels) -> str:
    return ",".join(
        f'{name}="{value.translate(_ESCAPES)}"'
        for name, value in zip(names, values, strict=True)
    )


def _braced(pairs: str) -> str:
    return f"{{{pairs}}}" if pairs else ""


def number(value: float) -> str:
    """Write a number as Prometheus reads it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(value)
