"""Vega-Lite specifications of plots that several pages have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.queries.job_metrics import Point
from studio.queries.metrics import Range, Series


def lines_over_time(
    series: Sequence[Series], title: str, within: Range, *, scale: float = 1, zero: bool = True
) -> dict[str, Any]:
    """Return a plot of a line for each series, over time.

    Args:
        series: The series; those without points are left out.
        title: The title of the vertical axis.
        within: The range of time, which the horizontal axis shows all of.
        scale: Factor of the values.
        zero: Whether the vertical axis starts at zero.
    """
    bounds = [time.isoformat() for time in within.bounds()]
    values = [
        {"time": time.isoformat(), "value": value * scale, "series": item.label}
        for item in series
        for time, value in item.points
    ]
    return {
        "data": {"values": values},
        "mark": {"type": "line", "point": {"size": 28}, "interpolate": "linear", "tooltip": True},
        "encoding": {
            "x": {
                "field": "time",
                "type": "temporal",
                "title": None,
                "scale": {"domain": bounds},
                "axis": {"tickCount": 6, "labelOverlap": True},
            },
            "y": {"field": "value", "type": "quantitative", "title": title, "scale": {"zero": zero}},
            "color": {
                "field": "series",
                "type": "nominal",
                "title": None,
                "sort": [item.label for item in series],
            },
        },
    }


def learning_curve(metric: str, curves: Mapping[str, Sequence[Point]]) -> dict[str, Any]:
    """Return a plot of a metric over the iterations, with a line for each label."""
    series = {"field": "series", "type": "nominal", "title": None, "sort": list(curves)}
    return {
        "data": {
            "values": [
                {"step": point.step, "value": point.value, "series": label}
                for label, points in curves.items()
                for point in points
            ]
        },
        "mark": {"type": "line", "tooltip": True},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "Iteration"},
            "y": {"field": "value", "type": "quantitative", "title": metric, "scale": {"zero": False}},
            "color": series,
            "strokeDash": series,
        },
    }
