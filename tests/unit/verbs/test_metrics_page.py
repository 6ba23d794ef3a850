"""The metrics' page is the table."""

from pathlib import Path

from bridge.core.metric_table import TABLE
from bridge.verbs import metrics_page

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_up_to_date() -> None:
    """Made by `python -m bridge.verbs.metrics_page > docs/metrics.md`."""
    assert PAGE.read_text("utf-8").rstrip() == metrics_page.page().rstrip()


def test_every_metric_has_a_line() -> None:
    text = metrics_page.page()
    assert all(f"| `{metric.full_name}` |" in text for metric in TABLE)
