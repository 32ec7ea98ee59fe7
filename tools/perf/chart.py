"""A grouped bar chart as SVG text, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#9aa0a6", "#c58af9", "#8ab4f8", "#fbbc04", "#34a853", "#d93025", "#185abc")
BAR, GAP, HEIGHT, LEFT, TOP = 9, 18, 220, 46, 54


def bar_chart(
    title: str, series: Sequence[str], groups: Sequence[tuple[str, Mapping[str, float]]]
) -> str:
    """Bars of ``groups`` (label, series name -> value); a missing series leaves a hole.

    A line marks the value 1. Values are positive; bars above the axis are cut and labelled.
    """
    step = len(series) * BAR + GAP
    width = LEFT + step * max(1, len(groups)) + GAP
    top = max((v for _, bars in groups for v in bars.values()), default=1.0)
    scale = HEIGHT / max(1.0, min(math.ceil(2 * top) / 2, 4.0))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{TOP + HEIGHT + 90}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>',
    ]
    out += _legend(series)
    for number, (label, bars) in enumerate(groups):
        out += _group(LEFT + number * step, label, bars, series, scale)
    one = TOP + HEIGHT - scale
    out.append(f'<line x1="{LEFT - 6}" x2="{width}" y1="{one:.1f}" y2="{one:.1f}" stroke="black"/>')
    out.append(f'<text x="{LEFT - 10}" y="{one + 4:.1f}" text-anchor="end">1×</text>')
    return "\n".join([*out, "</svg>", ""])


def _legend(series: Sequence[str]) -> list[str]:
    out, x = [], LEFT
    for number, name in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        out.append(f'<rect x="{x}" y="28" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{x + 14}" y="37">{escape(name)}</text>')
        x += 26 + 7 * len(name)
    return out


def _group(
    left: float, label: str, bars: Mapping[str, float], series: Sequence[str], scale: float
) -> list[str]:
    out = []
    for number, name in enumerate(series):
        if name not in bars:
            continue
        height = min(HEIGHT, bars[name] * scale)
        x, y = left + number * BAR, TOP + HEIGHT - height
        colour = COLOURS[number % len(COLOURS)]
        out.append(
            f'<rect x="{x}" y="{y:.1f}" width="{BAR - 1}" height="{height:.1f}" fill="{colour}">'
            f"<title>{escape(label)}, {escape(name)}: {bars[name]:.2f}</title></rect>"
        )
        if bars[name] * scale > HEIGHT:
            out.append(f'<text x="{x}" y="{y - 3:.1f}" font-size="8">{bars[name]:.1f}</text>')
    x, y = left + len(series) * BAR / 2, TOP + HEIGHT + 14
    out.append(f'<text x="{x}" y="{y}" transform="rotate(30 {x} {y})">{escape(label)}</text>')
    return out
