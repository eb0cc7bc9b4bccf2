"""The segments' section: worst first, with intervals, beside all rows."""

from __future__ import annotations

from evaluation.report.segments import MAX_TABLE_ROWS, MAX_VALUES, segment_section


def segment(value, score, lower=None, upper=None, column="plan"):
    return {
        "column": column,
        "value": value,
        "rows": 40,
        "metric": "auc",
        "score": score,
        "lower": lower,
        "upper": upper,
    }


OVERALL = {"auc": {"value": 0.9, "lower": 0.8, "upper": 0.95}}


def test_without_segments_there_is_no_section():
    assert segment_section([], OVERALL) == ""


def test_every_column_has_a_chart_and_every_segment_a_row():
    found = [segment("a", 0.7, 0.6, 0.8), segment("north", 0.8, column="region"), segment("b", 0.9, 0.85, 0.95)]
    section = segment_section(found, OVERALL)
    assert section.count("<svg") == 2
    assert ">By plan</h3>" in section
    assert ">By region</h3>" in section
    assert "0.6000 to 0.8000" in section
    assert section.index('<td>plan</td><td class="text wrap">a</td>') < section.index("north</td>")


def test_a_segment_of_one_class_has_no_metric():
    section = segment_section([segment("a", 0.7), segment("b", None)], OVERALL)
    assert '<td class="text wrap">b</td><td>40</td><td>\N{EN DASH}</td>' in section


def test_a_column_without_a_measured_value_is_named_and_not_drawn():
    section = segment_section([segment("a", 0.7), segment("C1", None, column="id"), segment("C2", None)], OVERALL)
    assert section.count("<svg") == 1
    assert "C1" not in section
    assert "is undefined for each value of id" in section
    assert "<svg" not in segment_section([segment("C1", None, column="id")], OVERALL)


def test_values_are_escaped_and_bounded():
    found = [segment(f"<i>{index}" + "x" * 500, 0.5) for index in range(500)]
    section = segment_section(found, OVERALL)
    assert "<i>" not in section
    assert section.count("<tr>") == MAX_TABLE_ROWS + 1
    assert f"The worst {MAX_VALUES} of 500 values" in section
    assert len(section) < 40_000
