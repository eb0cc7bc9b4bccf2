"""Vega-Lite specifications of plots that several pages have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.queries.metrics import Series


def lines_over_time(
    series: Sequence[Series], title: str, *, threshold: float | None = None, scale: float = 1, zero: bool = True
) -> dict[str, Any]:
    """Return a plot of a line for each series, over time.

    Args:
        series: The series; those without points are left out.
        title: The title of the vertical axis.
        threshold: Value of a dashed line across the plot.
        scale: What the values are multiplied by.
        zero: Whether the vertical axis starts at zero.
    """
    values = [
        {"time": time.isoformat(), "value": value * scale, "series": item.label}
        for item in series
        for time, value in item.points
    ]
    line = {
        "mark": {"type": "line", "point": {"size": 28}, "interpolate": "linear", "tooltip": True},
        "encoding": {
            "x": {"field": "time", "type": "temporal", "title": None},
            "y": {"field": "value", "type": "quantitative", "title": title, "scale": {"zero": zero}},
            "color": {"field": "series", "type": "nominal", "title": None, "sort": [item.label for item in series]},
        },
    }
    rule = {
        "data": {"values": [{"threshold": threshold}]},
        "mark": {"type": "rule", "strokeDash": [5, 4]},
        "encoding": {"y": {"field": "threshold", "type": "quantitative"}},
    }
    return {"data": {"values": values}, "layer": [line] if threshold is None else [line, rule]}
