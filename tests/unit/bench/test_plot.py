"""The plot of the soak."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from bench.plot import Panel, svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_the_plot_is_a_picture_for_both_kinds_of_page() -> None:
    """Every line is there, within the page, and the colours follow the reader's."""
    lines = {"a": [(0.0, 1.0), (2.0, 3.0)], "b": [(0.0, 0.0), (2.0, 0.0)]}
    text = svg("one < two", "a note", [Panel(f"p{n}", "flat", lines) for n in range(3)])
    page = ET.fromstring(text)  # noqa: S314 - ours

    assert "prefers-color-scheme: dark" in text
    _, _, width, height = map(float, page.attrib["viewBox"].split())
    drawn = page.findall(f"{NAMESPACE}polyline")
    assert len(drawn) == 6
    for line in drawn:
        for place in line.attrib["points"].split():
            x, y = map(float, place.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    assert {"0", "2", "4"} <= {t.text for t in page.findall(f"{NAMESPACE}text")}
    assert "one < two" in [t.text for t in page.findall(f"{NAMESPACE}text")]
