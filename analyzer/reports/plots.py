"""Data of the reports' plots: small JSON values that the page's script draws as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.profile.statistics import FeatureStatistics, Sketch

Array = npt.NDArray[np.float64]

BINS = 36
# Long tails beyond these quantiles are cut off, because they would squeeze everything else into one bin ...
TAIL = 0.005
# ... unless that saves less than this share of the width.
TAIL_WIDTH = 0.4
# Ratio of the upper end to the median above which bins have equal width on a log scale.
SKEW = 10
CATEGORIES = 10
LABEL_LENGTH = 80
DIGITS = 5


def distribution(baseline: FeatureStatistics | None, current: FeatureStatistics | None) -> dict[str, Any] | None:
    """Compute a feature's baseline and current distribution on one scale.

    Returns:
        None if there is nothing to draw. Numbers: ``{"kind": "numbers", "low", "high", "whole", "log", "below": [b, c],
        "baseline": [share per bin], "current": [...], "gap": {"at", "baseline", "current"}}``, with bins of equal width
        from low to high (on a log scale if log), the shares of values below low, and the point where the cumulative
        shares differ most. Strings: ``{"kind": "categories", "labels", "baseline", "current", "rest": [b, c]}``. An
        absent side is null, and without both sides there is no gap.
    """
    sides = [baseline, current]
    if any(side and side.numbers for side in sides) and not any(side and side.strings for side in sides):
        return _numbers([side.numbers.sketch if side and side.numbers else None for side in sides])
    if any(side and side.strings for side in sides):
        return _categories(sides)
    return None


def _numbers(sketches: Sequence[Sketch | None]) -> dict[str, Any]:
    cumulated = [sketch.cumulative() if sketch else None for sketch in sketches]
    values = np.unique(np.concatenate([side[0] for side in cumulated if side]))
    shares = [_shares(values, side) for side in cumulated]
    present = [side for side in shares if side is not None]
    low, high = _range(values, present)
    whole = bool(np.all(values == np.floor(values)))
    low, high, bins = _bounds(low, high, whole)
    log = not whole and _is_skewed(values, present)
    edges = np.geomspace(low, high, bins + 1) if log else _even(low, high, bins)
    at_edges = [None if side is None else _shares_below(edges, side) for side in cumulated]
    result: dict[str, Any] = {
        "kind": "numbers",
        "low": low,
        "high": high,
        "whole": whole,
        "log": log,
        "below": [None if side is None else round(float(side[0]), DIGITS) for side in at_edges],
        "baseline": _rounded(at_edges[0]),
        "current": _rounded(at_edges[1]),
    }
    if shares[0] is not None and shares[1] is not None:
        place = int(np.argmax(np.abs(shares[0] - shares[1])))
        result["gap"] = {
            "at": float(values[place]),
            "baseline": round(float(shares[0][place]), DIGITS),
            "current": round(float(shares[1][place]), DIGITS),
        }
    return result


def _shares(values: Array, cumulated: tuple[Array, Array] | None) -> Array | None:
    """Return the share of a sketch's values at or below each of the given values."""
    if cumulated is None:
        return None
    distinct, ranks = cumulated
    return np.append(0.0, ranks)[np.searchsorted(distinct, values, side="right")] / ranks[-1]


def _shares_below(edges: Array, cumulated: tuple[Array, Array]) -> Array:
    distinct, ranks = cumulated
    below = np.append(0.0, ranks)[np.searchsorted(distinct, edges, side="left")] / ranks[-1]
    if edges[-1] >= distinct[-1]:
        below[-1] = 1.0
    return below


def _is_skewed(values: Array, shares: Sequence[Array]) -> bool:
    """Whether the values are positive and so skewed that most would fall into the first bins of equal width."""
    if values[0] <= 0:
        return False
    ends = [(values[np.searchsorted(side, 0.5)], values[np.searchsorted(side, 1 - TAIL)]) for side in shares]
    return all(most > SKEW * median for median, most in ends)


def _even(low: float, high: float, bins: int) -> Array:
    # The width of a range of doubles may overflow; that of half the range cannot.
    halves = 1 if math.isfinite(high - low) else 2
    return np.linspace(low / halves, high / halves, bins + 1) * halves


def _rounded(at_edges: Array | None) -> list[float] | None:
    return None if at_edges is None else np.round(np.diff(at_edges), DIGITS).tolist()


def _range(values: Array, shares: Sequence[Array]) -> tuple[float, float]:
    """Return the range of the values without long tails of few values."""
    least, most = float(values[0]), float(values[-1])
    low = min(float(values[np.searchsorted(side, TAIL)]) for side in shares)
    high = max(float(values[np.searchsorted(side, 1 - TAIL)]) for side in shares)
    if not math.isfinite(most - least):
        return low, high
    spared = TAIL_WIDTH * (most - least)
    return (low if low - least > spared else least), (high if most - high > spared else most)


def _bounds(low: float, high: float, whole: bool) -> tuple[float, float, int]:
    """Return low, high and the number of bins; bins of whole numbers have a whole width and are centered."""
    if whole and high - low < 2**52:
        width = max(1, math.ceil((high - low + 1) / BINS))
        bins = math.ceil((high - low + 1) / width)
        return low - 0.5, low - 0.5 + bins * width, bins
    if low == high:
        margin = abs(low) * 0.01 or 0.5
        return low - margin, high + margin, 3
    return low, high, BINS


def _categories(sides: Sequence[FeatureStatistics | None]) -> dict[str, Any]:
    counts: list[Mapping[str, int]] = [side.strings.counts if side and side.strings else {} for side in sides]
    totals = [0 if side is None else side.present for side in sides]

    def share(side: int, category: str) -> float:
        return counts[side].get(category, 0) / totals[side] if totals[side] else 0.0

    # Ranked by the larger share, which includes the categories that changed most.
    categories = counts[0].keys() | counts[1].keys()
    shown = sorted(categories, key=lambda category: (-max(share(0, category), share(1, category)), category))[
        :CATEGORIES
    ]
    shown.sort(key=lambda category: (-share(0, category), -share(1, category), category))
    listed: list[list[float] | None] = [
        [round(share(side, category), DIGITS) for category in shown] if counts[side] else None for side in (0, 1)
    ]
    return {
        "kind": "categories",
        "labels": [category[:LABEL_LENGTH] for category in shown],
        "baseline": listed[0],
        "current": listed[1],
        "rest": [None if side is None else round(max(0.0, 1 - sum(side)), DIGITS) for side in listed],
    }
