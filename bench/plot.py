"""Draws small time series as one SVG that can be read on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

Points = Sequence[tuple[float, float]]

NAMESPACE = "http://www.w3.org/2000/svg"
COLUMNS = 2
WIDTH, HEIGHT = 360, 130  # of the drawing area of one panel
LEFT, TOP, GAP_X, GAP_Y = 56, 70, 76, 66
HEADROOM = 1.1
NICE = (1, 2, 3, 4, 5, 6, 8, 10)
MOST_POINTS = 400
TICKS = 3
STYLE = """
  svg { font: 12px system-ui, sans-serif }
  .page { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .line { fill: none; stroke-width: 1.5 }
  .a { stroke: #0969da } .b { stroke: #bc4c00 }
  .fa { fill: #0969da } .fb { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .text { fill: #f0f6fc } .faint { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .a { stroke: #58a6ff } .b { stroke: #f0883e }
    .fa { fill: #58a6ff } .fb { fill: #f0883e }
  }
"""
COLOURS = "ab"


class Panel(NamedTuple):
    """One drawing: a line for each name; x is in minutes, y starts at zero."""

    title: str
    note: str
    lines: Mapping[str, Points]


def svg(title: str, note: str, panels: Sequence[Panel]) -> str:
    """Return the page; the names of the lines are those of the first panel."""
    rows = -(-len(panels) // COLUMNS)
    width = LEFT + COLUMNS * WIDTH + (COLUMNS - 1) * GAP_X + 20
    height = TOP + rows * (HEIGHT + GAP_Y)
    box = f'viewBox="0 0 {width} {height}"'
    body = [
        f'<svg xmlns="{NAMESPACE}" {box} role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        _text(LEFT, 22, title, "text", "font-weight:600;font-size:15px"),
        _text(LEFT, 40, note, "faint"),
        *_legend(panels, width),
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, COLUMNS)
        x = LEFT + column * (WIDTH + GAP_X)
        y = TOP + 18 + row * (HEIGHT + GAP_Y)
        body += _panel(panel, x, y)
    return "\n".join([*body, "</svg>", ""])


def _legend(panels: Sequence[Panel], width: int) -> list[str]:
    names = list(panels[0].lines)
    return [
        _text(width - 90 * (len(names) - n), 22, name, f"f{COLOURS[n % 2]}")
        for n, name in enumerate(names)
    ]


def _panel(panel: Panel, x: int, y: int) -> list[str]:
    """Draw one panel with its upper left corner at x, y."""
    points = [p for line in panel.lines.values() for p in line]
    most_x = max((at for at, _ in points), default=1.0) or 1.0
    most_y = _round_up(max((value for _, value in points), default=1.0) * HEADROOM)
    found = [_text(x, y - 8, panel.title, "text", "font-weight:600")]
    found.append(_text(x + WIDTH, y - 8, panel.note, "faint", "text-anchor:end"))
    for tick in range(TICKS):
        level = y + HEIGHT - HEIGHT * tick / (TICKS - 1)
        told = _number(most_y * tick / (TICKS - 1))
        found.append(_rule(x, level))
        found.append(_text(x - 6, level + 4, told, "faint", "text-anchor:end"))
        along = x + WIDTH * tick / (TICKS - 1)
        minutes = f"{_number(most_x * tick / (TICKS - 1))} min"
        place = ("start", "middle", "end")[tick]
        found.append(
            _text(along, y + HEIGHT + 16, minutes, "faint", f"text-anchor:{place}")
        )
    scale = WIDTH / most_x, HEIGHT / most_y
    for number, line in enumerate(panel.lines.values()):
        found.append(_line(line, (x, y + HEIGHT), scale, COLOURS[number % 2]))
    return found


def _rule(x: float, y: float) -> str:
    return f'<line class="grid" x1="{x}" x2="{x + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _line(
    points: Points, origin: tuple[int, int], scale: tuple[float, float], colour: str
) -> str:
    step = max(1, len(points) // MOST_POINTS)
    places = " ".join(
        f"{origin[0] + at * scale[0]:.1f},{origin[1] - value * scale[1]:.1f}"
        for at, value in points[::step]
    )
    return f'<polyline class="line {colour}" points="{places}"/>'


def _text(x: float, y: float, words: str, kind: str, style: str = "") -> str:
    more = f' style="{style}"' if style else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'


def _round_up(value: float) -> float:
    """Return the next number above that can be read off an axis."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(nice * power for nice in NICE if nice * power >= value)


def _number(value: float) -> str:
    if value >= 10_000:  # noqa: PLR2004 - room for four digits
        return f"{value / 1000:.0f}k"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"  # noqa: PLR2004 - as above
