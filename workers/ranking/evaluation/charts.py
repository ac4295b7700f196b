"""Line charts as SVG, drawn from results alone: they open in any browser and need no plotting library."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

WIDTH: Final = 860
HEIGHT: Final = 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 190, 16, 52
_COLOURS: Final = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5")
_MOST_LABELS: Final = 9


class Line(NamedTuple):
    """A named line.

    Attributes:
        points: (x, y), both from 0 to 1 of the frame's width and of the chart's highest value.
    """

    name: str
    points: Sequence[tuple[float, float]]


def chart(lines: Sequence[Line], labels: Mapping[float, str], top: float, x_title: str, y_title: str) -> str:
    """Return an `<svg>`.

    Args:
        lines: y in units of `top`.
        labels: below the axis, by x from 0 to 1; every so many is written where there is no room for all.
        top: the value at the upper edge.
    """
    body = [*_frame(labels, top, x_title, y_title)]
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        places = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in line.points)
        body.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="2.5" fill="{colour}"/>' for x, y in line.points]
        height = _TOP + 14 + 18 * number
        body.append(f'<rect x="{WIDTH - _RIGHT + 14}" y="{height - 9}" width="12" height="4" fill="{colour}"/>')
        body.append(f'<text x="{WIDTH - _RIGHT + 32}" y="{height - 3}">{escape(line.name)}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(body)}</svg>'


def _frame(labels: Mapping[float, str], top: float, x_title: str, y_title: str) -> list[str]:
    parts = []
    for step in range(5):
        height = _y(step / 4)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{top * step / 4:.3g}</text>')
    every = -(-len(labels) // _MOST_LABELS)
    for x, label in list(labels.items())[::every]:
        parts.append(f'<text x="{_x(x):.1f}" y="{_y(0) + 18:.1f}" text-anchor="middle">{escape(label)}</text>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(
        f'<text transform="translate(14,{_y(0.5):.1f}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>'
    )
    return parts


def _x(share: float) -> float:
    return _LEFT + share * (WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM)
