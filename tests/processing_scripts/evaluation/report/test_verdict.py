"""The verdict: good enough or refused, and by what, with the numbers of the decision."""

from __future__ import annotations

import html
import re

from evaluation.report.verdict import decision, remark_card

GATE = {
    "metric": "auc",
    "threshold": 0.95,
    "on": "mean",
    "direction": "min",
    "value": 0.97,
    "lower": 0.94,
    "upper": 0.99,
}


def texts(page: str) -> str:
    return html.unescape(re.sub("<[^>]+>", " ", page))


def test_a_model_of_which_nothing_is_required_has_no_verdict():
    assert decision({"gates": [], "champion": None, "segment_gate": None}) == ""


def test_a_good_model_is_shown_with_all_gates_and_the_champion():
    champion = {"passes": 1, "sentence": "auc is 0.97, and 0.96 of the champion"}
    page = decision({"gates": [GATE | {"passed": True}], "champion": champion})
    assert 'class="verdict good"' in page
    assert "Good enough to register" in texts(page)
    assert "AUC on the test split is 0.97 (95 % interval 0.94 to 0.99) and must be at least 0.95. auc is 0.97" in texts(
        page
    )


def test_a_refused_model_is_shown_with_what_it_missed_only():
    errors = {"metric": "rmse", "threshold": 3, "on": "lower_bound", "direction": "max"}
    errors |= {"value": 2.9, "lower": 2.5, "upper": 3.5, "passed": False}
    page = texts(decision({"gates": [GATE | {"passed": True}, errors]}))
    assert "Refused: RMSE misses the threshold" in page
    sentence = (
        "The upper bound of RMSE on the test split is 3.5 (RMSE 2.9, 95 % interval 2.5 to 3.5) and must be at most 3."
    )
    assert sentence in page
    assert "AUC" not in page


def test_a_value_just_below_the_threshold_is_told_from_it():
    gate = GATE | {"threshold": 0.85, "value": 0.84999, "passed": False}
    assert "AUC on the test split is 0.84999 (" in texts(decision({"gates": [gate]}))


def test_a_model_that_the_champion_or_a_segment_refuses_is_refused():
    champion = {"passes": 0, "sentence": "the gain must be at least 0"}
    segments = {"passes": 0, "sentence": "auc of plan = <b> is 0.5"}
    page = decision({"gates": [GATE | {"passed": True}], "champion": champion, "segment_gate": segments})
    assert 'class="verdict bad"' in page
    assert "Refused: not better than the champion, a segment misses the threshold" in texts(page)
    assert "<b>" not in page


def test_settings_in_remarks_are_shown_as_code():
    card = remark_card(["set `training.folds` & look <again>"])
    assert "set <code>training.folds</code> &amp; look &lt;again&gt;" in card
    assert remark_card([]) == ""
