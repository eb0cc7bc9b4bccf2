"""Charts as SVG in the colours of page.css, written by hand: a plotting library would take longer than the evaluation.

All charts are WIDTH wide, about the width of a card, so that their texts are as large as those of the page. Legends are
HTML below the chart, which wraps on a narrow screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.reports.html import escape, number

WIDTH, HEIGHT = 400, 280
ROW_HEIGHT = 20
TOP, RIGHT, BOTTOM = 10, 12, 38
# Estimated width of a character of the axes' text; the browser's font is unknown.
CHARACTER = 6.5

ACCENT, MUTED, INK, BAD = "var(--accent)", "var(--muted)", "var(--ink)", "var(--bad)"
BASE = "var(--base)"
SERIES = tuple(f"var(--series-{index})" for index in range(1, 7))
# From the lowest values of a feature to the highest.
LOW_TO_HIGH = tuple(f"var(--low-high-{index})" for index in range(1, 6))

Numbers = Sequence[float] | npt.NDArray[np.generic]


@dataclass(frozen=True)
class Axis:
    """A linear axis; low may be above high, which turns it around.

    Attributes:
        ticks: Positions and their texts.
        label: The title of the axis.
    """

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    label: str = ""

    @classmethod
    def numbers(cls, values: Numbers, label: str = "", margin: float = 0.04) -> Axis:
        """Return an axis for all of the values, with a margin as a share of their range."""
        finite = np.asarray(values, dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        if low == high:
            low, high = low - (abs(low) * 0.05 or 0.5), high + (abs(high) * 0.05 or 0.5)
        space = margin * (high - low)
        return cls(low - space, high + space, _round_ticks(low, high), label)

    @classmethod
    def shares(cls, label: str) -> Axis:
        return cls(-0.02, 1.02, [(tick / 5, f"{tick / 5:.1f}") for tick in range(6)], label)

    @classmethod
    def names(cls, names: Sequence[str], label: str = "") -> Axis:
        """Return an axis with a name at each of 0, 1, 2 ..."""
        return cls(-0.5, len(names) - 0.5, list(enumerate(names)), label)

    def reversed(self) -> Axis:
        """Return the axis turned around, so that the first of the names is at the top."""
        return Axis(self.high, self.low, self.ticks, self.label)


def _round_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return about five round numbers from low to high."""
    size = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(size))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= size * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9) + (round(step / power, 1) == 2.5))
    if max(abs(low), abs(high)) >= 1e6 or decimals > 4:
        return [(index * step, number(index * step)) for index in range(first, last + 1)]
    return [(index * step, f"{index * step:,.{decimals}f}") for index in range(first, last + 1)]


class Chart:
    """An SVG under construction: marks are drawn in the order of the calls, in the units of the axes."""

    def __init__(self, x: Axis, y: Axis, height: int = HEIGHT, grid: str = "xy", tilted: bool = False) -> None:
        """Prepare the frame.

        Args:
            x: The horizontal axis.
            y: The vertical axis.
            height: The height of the whole chart, in pixels.
            grid: The axes whose ticks have grid lines: "x", "y", "xy" or "".
            tilted: Whether the texts of the x axis are long, so that they are tilted.
        """
        self._x, self._y, self._height = x, y, height
        widest = max((len(text) for _, text in y.ticks), default=0)
        self._left = 8 + (16 if y.label else 0) + widest * CHARACTER
        self._bottom: float = height - BOTTOM + (0 if x.label else 14)
        if tilted:
            self._bottom -= min(70, max(len(text) for _, text in x.ticks) * CHARACTER * 0.6)
        self._marks: list[str] = []
        self._draw_frame(grid, tilted)

    def _draw_frame(self, grid: str, tilted: bool) -> None:
        for tick, text in self._x.ticks:
            at = self._px(tick)
            if "x" in grid:
                self._marks.append(f'<path class="axis" d="M{at:.1f} {TOP}V{self._bottom:.1f}"/>')
            place = f'x="{at:.1f}" y="{self._bottom + 16:.1f}" text-anchor="middle"'
            if tilted:
                corner = f"{at + 4:.1f} {self._bottom + 12:.1f}"
                place = f'transform="translate({corner}) rotate(-40)" text-anchor="end"'
            self._marks.append(f"<text {place}>{escape(text)}</text>")
        for tick, text in self._y.ticks:
            at = self._py(tick)
            if "y" in grid:
                self._marks.append(f'<path class="axis" d="M{self._left:.1f} {at:.1f}H{WIDTH - RIGHT}"/>')
            self._marks.append(
                f'<text x="{self._left - 6:.1f}" y="{at + 4:.1f}" text-anchor="end">{escape(text)}</text>'
            )
        middle = (self._left + WIDTH - RIGHT) / 2
        if self._x.label:
            self._marks.append(
                f'<text x="{middle:.1f}" y="{self._height - 4}" text-anchor="middle">{escape(self._x.label)}</text>'
            )
        if self._y.label:
            corner = f"translate(11 {(TOP + self._bottom) / 2:.1f})"
            text = escape(self._y.label)
            self._marks.append(f'<text transform="{corner} rotate(-90)" text-anchor="middle">{text}</text>')

    def _px(self, value: float) -> float:
        share = (value - self._x.low) / (self._x.high - self._x.low)
        return self._left + share * (WIDTH - RIGHT - self._left)

    def _py(self, value: float) -> float:
        share = (value - self._y.low) / (self._y.high - self._y.low)
        return self._bottom - share * (self._bottom - TOP)

    def _pixels(self, xs: Numbers, ys: Numbers) -> Iterable[tuple[float, float]]:
        """Yield the positions of finite points, those outside of the axes on their edge."""
        x = np.clip(self._px(np.asarray(xs, dtype=np.float64)), self._left, WIDTH - RIGHT)  # type: ignore[arg-type]
        y = np.clip(self._py(np.asarray(ys, dtype=np.float64)), TOP, self._bottom)  # type: ignore[arg-type]
        shown = np.isfinite(x) & np.isfinite(y)
        return zip(x[shown].tolist(), y[shown].tolist(), strict=True)

    def line(self, xs: Numbers, ys: Numbers, color: str = ACCENT, width: float = 1.8, dashed: bool = False) -> None:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in self._pixels(xs, ys))
        style = ' stroke-dasharray="4 3"' if dashed else ""
        self._marks.append(
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"'
            f"{style}/>"
        )

    def dots(self, xs: Numbers, ys: Numbers, color: str = ACCENT, size: float = 4, opacity: float = 1) -> None:
        """Draw round dots, all as one path, which takes a tenth of the bytes of as many circles."""
        path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in self._pixels(xs, ys))
        if path:
            style = "" if opacity == 1 else f' stroke-opacity="{opacity}"'
            self._marks.append(
                f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{size}" stroke-linecap="round"{style}/>'
            )

    def box(self, x: tuple[float, float], y: tuple[float, float], color: str = ACCENT, opacity: float = 1) -> None:
        """Fill the rectangle from one corner to the other."""
        (left, right), (top, bottom) = sorted(map(self._px, x)), sorted(map(self._py, y))
        self._marks.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" '
            f'fill="{color}" fill-opacity="{opacity:.3g}"/>'
        )

    def area(self, xs: Numbers, low: Numbers, high: Numbers, color: str = ACCENT, opacity: float = 0.15) -> None:
        """Fill between two lines."""
        there, back = list(self._pixels(xs, high)), reversed(list(self._pixels(xs, low)))
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*there, *back])
        self._marks.append(f'<polygon points="{points}" fill="{color}" fill-opacity="{opacity}"/>')

    def rule(self, *, x: float | None = None, y: float | None = None, color: str = MUTED, text: str = "") -> None:
        """Draw a dashed line across the chart at one value, with a text at its end."""
        if x is not None:
            self.line([x, x], [self._y.low, self._y.high], color, 1.2, dashed=True)
            end = self._px(x) > WIDTH - RIGHT - len(text) * CHARACTER - 6
            self._text(self._px(x) + (-5 if end else 5), TOP + 9, text, "end" if end else "start", "strong halo")
        if y is not None:
            self.line([self._x.low, self._x.high], [y, y], color, 1.2, dashed=True)
            self._text(WIDTH - RIGHT, self._py(y) - 5, text, "end", "strong halo")

    def text(self, x: float, y: float, text: str, anchor: str = "start", style: str = "", shift: float = 0) -> None:
        """Write a text at a point, moved to the right by `shift` pixels."""
        self._text(self._px(x) + shift, self._py(y) + 4, text, anchor, style)

    def _text(self, x: float, y: float, text: str, anchor: str, style: str) -> None:
        if text:
            kind = f' class="{style}"' if style else ""
            self._marks.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(text)}</text>')

    def svg(self, description: str) -> str:
        """Return the chart, with a description for screen readers."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {self._height}" width="100%" role="img" aria-label="{escape(description)}">'
            f"{''.join(self._marks)}</svg>"
        )


def names_chart(names: Sequence[str], x: Axis) -> Chart:
    """Return a chart with a row for each name, from top to bottom."""
    return Chart(x, Axis.names(names).reversed(), height=max(HEIGHT, 60 + ROW_HEIGHT * len(names)), grid="x")


def chart_card(
    title: str, chart: Chart, note: str = "", legend: Iterable[tuple[str, str]] = (), description: str = ""
) -> str:
    """Return a chart as a card.

    Args:
        title: Plain text, as are all others.
        chart: The chart.
        note: A sentence below the title.
        legend: Colours and their names.
        description: What a screen reader says instead of title and note.
    """
    caption = f'<p class="note">{escape(note)}</p>' if note else ""
    svg = chart.svg(description or ". ".join(filter(None, [title, note])))
    entries = "".join(f'<span><b style="background: {color}"></b>{escape(name)}</span>' for color, name in legend)
    key = f'<p class="keys">{entries}</p>' if entries else ""
    return f'<div class="card chart"><h3>{escape(title)}</h3>{caption}{svg}{key}</div>\n'


def charts(cards: Iterable[str]) -> str:
    """Return cards side by side; nothing if there are none."""
    content = "".join(cards)
    return f'<div class="plots">{content}</div>' if content else ""


def shortened(value: object, limit: int) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
