# ruff: noqa: INP001 - a script, not a package
"""Makes the Grafana dashboard from the metric table: `python scripts/dashboard.py`.

Titles and places stand in dashboard_rows.py; names, labels, kinds and descriptions
come from the table, and so does every expression. `--check` says whether the file is
up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dashboard_rows import ROWS, STATS, Panel

from bridge.core.metric_table import BY_NAME, VALUES, Kind, Metric

TARGET: Final = Path(__file__).parents[1] / "helm/feedbridge/dashboards/feedbridge.json"
CHOSEN: Final = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"'
WIDTH, PANEL_WIDTH, PANEL_HEIGHT = 24, 8, 7
STAT_WIDTH, STAT_HEIGHT = 4, 4
MOST_LINES = 20
QUANTILES = ("0.5", "0.99")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS: Mapping[str, str] = {
    "seconds": "s",
    "bytes": "bytes",
    "messages": "short",
    "fds": "short",
}


def dashboard() -> dict[str, Any]:
    """Return the whole dashboard as Grafana's JSON model."""
    return {
        "uid": "feedbridge",
        "title": "feedbridge",
        "tags": ["feedbridge"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "graphTooltip": 1,
        "annotations": {"list": [_alerts()]},
        "templating": {"list": list(_variables())},
        "panels": _numbered([*_stats(), *_rows()]),
    }


def text() -> str:
    """Return the file's whole content."""
    return json.dumps(dashboard(), indent=2) + "\n"


def _alerts() -> dict[str, Any]:
    """Show firing alerts in every panel."""
    return {
        "name": "Alerts",
        "enable": True,
        "iconColor": "red",
        "datasource": SOURCE,
        "expr": 'ALERTS{alertname=~"Feedbridge.*", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{instance}} {{source}} {{subscription}}",
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "type": "datasource", "query": "prometheus"}
    within: list[str] = []
    for name in ("namespace", "job", "instance"):
        chosen = "{" + ", ".join(within) + "}" if within else ""
        yield {
            "name": name,
            "type": "query",
            "datasource": SOURCE,
            "query": f"label_values({BY_NAME['build_info'].full_name}{chosen}, {name})",
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "refresh": 2,
            "current": {"text": "All", "value": "$__all"},
        }
        within.append(f'{name}=~"${name}"')


def _stats() -> Iterator[dict[str, Any]]:
    for place, stat in enumerate(STATS):
        steps = [
            {"color": "green", "value": None},
            {"color": "red", "value": stat.bad_from},
        ]
        defaults = {
            "unit": _unit(BY_NAME[stat.name]),
            "color": {"mode": "thresholds"},
            "thresholds": {"mode": "absolute", "steps": steps},
        }
        yield {
            "type": "stat",
            "title": stat.title,
            "description": BY_NAME[stat.name].help,
            "datasource": SOURCE,
            "gridPos": _place(place * STAT_WIDTH, 0, STAT_WIDTH, STAT_HEIGHT),
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": {"colorMode": "background", "graphMode": "none"},
            "targets": [_target("A", _filled(stat.expression), "")],
        }


def _rows() -> Iterator[dict[str, Any]]:
    top = STAT_HEIGHT
    for row in ROWS:
        yield {
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": _place(0, top, WIDTH, 1),
            "panels": [],
        }
        top += 1
        in_a_line = WIDTH // PANEL_WIDTH
        for number, panel in enumerate(row.panels):
            line, column = divmod(number, in_a_line)
            place = _place(
                column * PANEL_WIDTH,
                top + line * PANEL_HEIGHT,
                PANEL_WIDTH,
                PANEL_HEIGHT,
            )
            yield _series(panel, place)
        top += -(-len(row.panels) // in_a_line) * PANEL_HEIGHT


def _series(panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    metrics = [BY_NAME[name] for name in panel.names]
    wanted = [pair for metric in metrics for pair in _expressions(metric, len(metrics))]
    targets = [
        _target(chr(ord("A") + number), expression, legend)
        for number, (expression, legend) in enumerate(wanted)
    ]
    custom = {"fillOpacity": 5, "showPoints": "never"}
    defaults = {"unit": _unit(metrics[0]), "custom": custom}
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": " ".join(metric.help for metric in metrics),
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": targets,
    }


def _expressions(metric: Metric, among: int) -> list[tuple[str, str]]:
    """Return what is drawn of a metric, each with its legend."""
    name = metric.name if among > 1 else ""
    labels = ("instance", *metric.labels)
    legend = f"{name} {' '.join(f'{{{{{one}}}}}' for one in labels)}".strip()
    return [
        (expression, f"{legend} {note}".strip())
        for expression, note in VIEWS[metric.kind](metric)
    ]


def _gauge(metric: Metric) -> list[tuple[str, str]]:
    series = _selected(metric.full_name)
    if metric.name.endswith("timestamp_seconds"):
        return [(f"{series} - time()", "")]
    if metric.name == "process_start_time_seconds":
        return [(f"time() - {series}", "")]
    if _is_state(metric):
        return [(f"{series} == 1", "")]
    if metric.name == "subscription_live":
        return [(f"{series} == 0", "not live")]
    if "subscription" in metric.labels:
        return [(f"topk({MOST_LINES}, {series})", "")]
    return [(series, "")]


def _counter(metric: Metric) -> list[tuple[str, str]]:
    by = ", ".join(("instance", *metric.labels))
    series = f"{_selected(metric.full_name)}[$__rate_interval]"
    rate = f"sum by ({by}) (rate({series}))"
    if "subscription" in metric.labels:
        return [(f"topk({MOST_LINES}, {rate})", "")]
    # Reasons and codes are many, and most of them never happen.
    seldom = {"reason", "code"} & set(metric.labels)
    return [(f"{rate} > 0" if seldom else rate, "")]


def _histogram(metric: Metric) -> list[tuple[str, str]]:
    by = ", ".join(("instance", "le", *metric.labels))
    series = f"{_selected(metric.full_name + '_bucket')}[$__rate_interval]"
    return [
        (f"histogram_quantile({at}, sum by ({by}) (rate({series})))", f"p{at[2:]:0<2}")
        for at in QUANTILES
    ]


VIEWS: Final = {
    Kind.GAUGE: _gauge,
    Kind.COUNTER: _counter,
    Kind.HISTOGRAM: _histogram,
}


def _is_state(metric: Metric) -> bool:
    """Tell whether one of several series is 1 and the others are 0."""
    last = metric.labels[-1] if metric.labels else ""
    return last in {"phase", "flow", "trading"} and last in VALUES


def _filled(expression: str) -> str:
    """Put selectors in the place of `{name}` and `{name|matchers}`."""
    parts = expression.split("{")
    filled = [parts[0]]
    for part in parts[1:]:
        inside, _, behind = part.partition("}")
        name, _, matchers = inside.partition("|")
        filled.append(_selected(BY_NAME[name].full_name, matchers) + behind)
    return "".join(filled)


def _selected(series: str, matchers: str = "") -> str:
    return f"{series}{{{', '.join(filter(None, (CHOSEN, matchers)))}}}"


def _unit(metric: Metric) -> str:
    """Return Grafana's unit, from the last word of the name."""
    words = metric.name.removesuffix("_total").split("_")
    unit = UNITS.get(words[-1], "short")
    counts = metric.kind is Kind.COUNTER
    if counts and unit == "s":
        return "percentunit"  # seconds of work a second
    return "cps" if counts else unit


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _target(ref: str, expression: str, legend: str) -> dict[str, Any]:
    return {
        "refId": ref,
        "datasource": SOURCE,
        "expr": expression,
        "legendFormat": legend or "__auto",
        "range": True,
    }


def _numbered(panels: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": number, **panel} for number, panel in enumerate(panels, 1)]


def main() -> int:
    """Write the file, or with `--check` say whether it is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    made = text()
    if not args.check:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(made)
        return 0
    if TARGET.exists() and TARGET.read_text() == made:
        return 0
    sys.stderr.write(f"{TARGET.name} is out of date: python scripts/dashboard.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
