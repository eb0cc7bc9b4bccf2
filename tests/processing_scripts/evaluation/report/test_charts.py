"""Charts as SVG: axes with round numbers, marks inside of the frame, escaped texts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from evaluation.report.charts import HEIGHT, WIDTH, Axis, Chart, chart_card, names_chart
from hypothesis import given
from hypothesis import strategies as st

numbers = st.floats(-1e12, 1e12, allow_subnormal=False)


@given(st.lists(numbers, min_size=1))
def test_an_axis_holds_all_values_and_has_a_few_round_ticks_in_order(values):
    axis = Axis.numbers(values)
    assert axis.low < min(values) or axis.low == min(values) == axis.ticks[0][0]
    assert axis.high > max(values)
    ticks = [tick for tick, _ in axis.ticks]
    assert 1 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))
    assert all(axis.low <= tick <= axis.high for tick in ticks)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0, 1], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([0, 100], ["0", "20", "40", "60", "80", "100"]),
        ([0.5, 1.7], ["0.50", "0.75", "1.00", "1.25", "1.50"]),
        ([-3_000, 9_000], ["-2,500", "0", "2,500", "5,000", "7,500"]),
        ([7, 7], ["6.8", "7.0", "7.2"]),
    ],
)
def test_ticks_are_numbers_that_people_would_choose(values, texts):
    assert [text for _, text in Axis.numbers(values).ticks] == texts


def test_an_axis_without_values_is_still_one():
    assert Axis.numbers([np.nan, np.inf]).low < Axis.numbers([]).high


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20), st.floats(-1e13, 1e13))
def test_no_mark_is_outside_of_the_chart(points, beyond):
    xs, ys = zip(*points, strict=True)
    chart = Chart(Axis.numbers(xs, "x"), Axis.numbers(ys, "y"))
    chart.line([*xs, beyond], [*ys, beyond])
    chart.dots([*xs, beyond], [*ys, beyond])
    chart.dots([np.nan], [np.nan])
    svg = chart.svg("a")
    (line,) = re.findall('points="([^"]+)"', svg)
    marks = [point.split(",") for point in line.split()] + re.findall(r"M(\S+) (\S+?)h0", svg)
    assert len(marks) == 2 * (len(points) + 1), "and none without a place"
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in marks)


def test_texts_are_escaped_wherever_they_are():
    hostile = '<script>"&'
    chart = Chart(Axis.names([hostile], hostile), Axis.names([hostile], hostile), tilted=True)
    chart.rule(x=0, text=hostile)
    chart.text(0, 0, hostile)
    card = chart_card(hostile, chart, hostile, [("var(--accent)", hostile)])
    root = ElementTree.fromstring(card)  # noqa: S314
    assert "script" not in {element.tag for element in root.iter()}
    assert "".join(root.itertext()).count(hostile) >= 8
    assert hostile in root.find("svg").attrib["aria-label"]


def test_the_first_name_is_at_the_top():
    chart = names_chart(["first", "second"], Axis.shares(""))
    heights = {
        text: float(y) for y, text in re.findall(r'y="([\d.]+)" text-anchor="end">(first|second)', chart.svg(""))
    }
    assert heights["first"] < heights["second"]
