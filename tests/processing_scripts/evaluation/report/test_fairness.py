"""The fairness section: each limited metric as a chart, each group with what its metrics mean."""

from __future__ import annotations

import html
import re

import pytest
from evaluation.report.fairness import MAX_GROUPS, fairness_section
from evaluation.report.verdict import decision


def metric(name, value, lower=None, upper=None, limit=None, error=None):
    passes = None if limit is None else int(value is not None and limit[0] <= value <= limit[1])
    bounds = {"lower": lower, "upper": upper, "limit": limit, "passes": passes}
    return {"name": name, "description": name, "value": value, "error": error, "note": None} | bounds


def group(column, value, predictions=(), labels=(), rows=93):
    stages = {"pre_training": labels, "post_training": predictions}
    found = {
        stage: {"rows": rows, "other_rows": 207, "favourable": 0.5, "other_favourable": 0.75, "metrics": [*metrics]}
        for stage, metrics in stages.items()
    }
    return {"column": column, "value": value} | found


def fairness(*groups):
    return {"favourable": "good", "passes": 1, "limited": 0, "sentence": "", "facets": [*groups]}


def texts(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>", " ", page)))


def test_without_fairness_there_is_no_section():
    assert fairness_section(None) == ""


def test_a_metric_with_a_limit_is_drawn_for_all_groups_and_explained():
    di = [metric("DI", 0.74, 0.6, 0.9, [0.8, 1.25]), metric("DPPL", 0.1, -0.1, 0.3)]
    page = fairness_section(fairness(group("sex", "female", di), group("age", "above 25", di)))
    assert page.count("<svg") == 1
    assert ">Disparate Impact (DI)</h3>" in page
    assert page.count('class="axis"') > 0
    assert "Dashed: no bias, 1; shaded: within the limits." in texts(page)
    assert "DI The share of positive predictions in this group divided by" in texts(page)
    assert "0.7400 0.6000 to 0.9000 0.8 to 1.25 missed" in texts(page)
    assert (
        "sex female 93 of 300 test rows. Favourable predictions: 50 % of the group, 75 % of all other rows."
        in texts(page)
    )


def test_metrics_without_a_limit_are_folded_unless_they_are_the_most_telling():
    found = [metric("AD", 0.0), metric("DPPL", 0.1), metric("GE", 0.2), metric("TE", 0.3, limit=[-1.0, 1.0])]
    page = fairness_section(fairness(group("sex", "female", found)))
    shown, _, folded = page.partition("<details><summary>2 more metrics</summary>")
    assert [name for name in ("AD", "DPPL", "GE", "TE") if f"<b>{name}</b>" in shown] == ["DPPL", "TE"]
    assert [name for name in ("AD", "DPPL", "GE", "TE") if f"<b>{name}</b>" in folded] == ["AD", "GE"]


def test_groups_within_their_limits_keep_the_order_of_the_settings():
    within = [metric("DI", 1.0, limit=[0.8, 1.25])]
    page = fairness_section(fairness(group("sex", "female", within, rows=9), group("age", "above 25", within)))
    assert re.findall("<h3>([^<(]+)</h3>", page) == ["sex female", "age above 25"]


def test_without_limits_the_most_telling_metrics_are_drawn():
    found = [metric("DI", 0.9, 0.8, 1.1), metric("GE", 0.1), metric("RD", 0.0, -0.1, 0.1)]
    page = fairness_section(fairness(group("sex", "female", found)))
    assert re.findall(r"<h3>([^<]+\))</h3>", page) == ["Disparate Impact (DI)", "Recall Difference (RD)"]
    assert "within the limits" not in page


def test_long_names_of_groups_are_shortened_in_charts_so_that_they_can_be_told_apart():
    found = [metric("DI", 1.0, 0.9, 1.1)]
    page = fairness_section(
        fairness(group("payment_method", "electronic check", found), group("payment_method", "mailed check", found))
    )
    assert re.findall(r"<text[^>]*>(payment[^<]*)</text>", page) == [
        "payment_… electronic che… (93)",
        "payment_… mailed check (93)",
    ]


def test_a_metric_without_a_value_says_why():
    page = fairness_section(
        fairness(group("sex", "x", [metric("DI", None, None, None, [0.8, 1.25], "no <rows> at all")]))
    )
    assert "<svg" not in page
    assert "no <rows> at all" in texts(page)
    assert "<rows>" not in page
    assert "missed" in texts(page)


def test_many_groups_are_bounded_and_those_that_miss_a_limit_come_first():
    within = [group("city", f"<b>{index}", [metric("DI", 1.0, limit=[0.8, 1.25])]) for index in range(40)]
    missed = group("city", "last", [metric("DI", 2.0, limit=[0.8, 1.25])], rows=1)
    page = fairness_section(fairness(*within, missed))
    assert f"Shown are {MAX_GROUPS} of 41 groups" in page
    assert re.findall("<h3>city ([^<]+)</h3>", page)[0] == "last"
    assert "<b>0" not in page


@pytest.mark.parametrize("passes", [0, 1])
def test_the_verdict_is_decided_by_the_limits_and_only_by_them(passes):
    found = {"passes": passes, "limited": 2, "sentence": "DI for sex female is 0.74", "facets": []}
    page = texts(decision({"fairness": found}))
    assert "DI for sex female is 0.74." in page
    assert ("Refused: bias beyond its limits" in page) == (not passes)
    assert decision({"fairness": found | {"limited": 0}}) == ""
