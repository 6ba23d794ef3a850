"""`python -m bridge.verbs.metrics_page`: the metrics' reference page, from the table.

Prints Markdown; `docs/metrics.md` is its output, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator

from bridge.core.metric_table import BOUNDED_BY, BUCKETS_S, TABLE, Metric, values_of
from bridge.verbs.out import say

HEAD = """\
# Metrics

<!-- Made by `python -m bridge.verbs.metrics_page`; change the table instead. -->

`feedbridge run` answers `/metrics` in Prometheus's text format, on the port that
[`http.port`](settings.md#http) sets.
Counters begin at 0 with the process, or with the connection where that is said; a
series whose labels are known beforehand is there, at 0, from the first scrape on.
"""
LONG = 12  # values of a label that a cell lists


def main() -> None:
    """Print the page."""
    say(page())


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join([HEAD, *_metrics(), "", *_labels(), "", _buckets()])


def _metrics() -> Iterator[str]:
    yield "| Metric | Kind | Labels | Meaning |"
    yield "| --- | --- | --- | --- |"
    for metric in TABLE:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.full_name}` | {metric.kind} | {labels} | {metric.help} |"


def _labels() -> Iterator[str]:
    yield "## Labels\n\nEvery label is bounded.\n"
    yield "| Label | Of | Values |"
    yield "| --- | --- | --- |"
    seen: dict[tuple[str, str], list[str]] = {}
    for metric in TABLE:
        for label in metric.labels:
            seen.setdefault((label, _values(metric, label)), []).append(metric.name)
    for (label, values), metrics in sorted(seen.items()):
        of = ", ".join(f"`{name}`" for name in metrics)
        yield f"| `{label}` | {'many' if len(metrics) > LONG else of} | {values} |"


def _values(metric: Metric, label: str) -> str:
    known = values_of(metric, label)
    if known is None:
        return BOUNDED_BY[label]
    return ", ".join(f"`{value}`" for value in known)


def _buckets() -> str:
    bounds = ", ".join(f"{bound:g}" for bound in BUCKETS_S)
    return f"## Buckets\n\nThe bounds of every histogram, in seconds: {bounds}."


if __name__ == "__main__":
    main()
