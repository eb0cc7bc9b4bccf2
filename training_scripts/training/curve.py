"""The training curve as CSV and SVG. The SVG is written by hand, because the image has no plotting library."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.boosting import Curve

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, WIDTH - 16, 48, HEIGHT - 44

# The colours of the reports' page.css.
STYLE = """
  svg { background: #ffffff } text { fill: #5d6878; font: 12px sans-serif } .name { fill: #1b2430; font-weight: bold }
  polyline { fill: none; stroke-width: 2 } .train { stroke: #9aa5b5 } .validation { stroke: #2563eb }
  .grid { stroke: #e3e6eb } .best { stroke: #5d6878; stroke-dasharray: 4 4 }
  @media (prefers-color-scheme: dark) {
    svg { background: #171e27 } text { fill: #9aa7b7 } .name { fill: #e6eaf0 }
    .train { stroke: #66748a } .validation { stroke: #6ea8fe }
    .grid { stroke: #2a3441 } .best { stroke: #9aa7b7 }
  }
"""


def write_curve(curve: Curve, best_iteration: int, folder: Path) -> None:
    """Write training_curve.csv and training_curve.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "training_curve.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["iteration", *curve])
        lines.writerows([iteration, *values] for iteration, values in enumerate(zip(*curve.values(), strict=True), 1))
    (folder / "training_curve.svg").write_text(curve_svg(curve, best_iteration), encoding="utf-8")


def curve_svg(curve: Curve, best_iteration: int) -> str:
    """Plot the metric of early stopping, the first of the curve, for both splits."""
    (_, train_values), (name, validation_values), *_ = curve.items()
    low, high = min(train_values + validation_values), max(train_values + validation_values)
    last = max(len(train_values), 2)

    def x(iteration: float) -> float:
        return LEFT + (RIGHT - LEFT) * (iteration - 1) / (last - 1)

    def y(value: float) -> float:
        return TOP + (BOTTOM - TOP) * (1 - (value - low) / ((high - low) or 1))

    def line(split: str, values: Sequence[float]) -> str:
        points = " ".join(f"{x(iteration):.1f},{y(value):.1f}" for iteration, value in enumerate(values, 1))
        return f'<polyline class="{split}" points="{points}"/>'

    best = f"{x(best_iteration):.1f}"
    marks = [f'<line class="best" x1="{best}" y1="{TOP}" x2="{best}" y2="{BOTTOM}"/>']
    for value in np.linspace(low, high, 5):
        marks.append(f'<line class="grid" x1="{LEFT}" y1="{y(value):.1f}" x2="{RIGHT}" y2="{y(value):.1f}"/>')
        marks.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for iteration in sorted({round(i) for i in np.linspace(1, last, 6)}):
        marks.append(f'<text x="{x(iteration):.1f}" y="{BOTTOM + 20}" text-anchor="middle">{iteration}</text>')
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">
<style>{STYLE}</style>
<text x="{LEFT}" y="24"><tspan class="name">{name.removeprefix("validation_")}</tspan> by iteration,
  best at {best_iteration}</text>
<polyline class="train" points="500,20 524,20"/><text x="530" y="24">train</text>
<polyline class="validation" points="590,20 614,20"/><text x="620" y="24">validation</text>
{chr(10).join(marks)}
{line("train", train_values)}
{line("validation", validation_values)}
</svg>
"""
