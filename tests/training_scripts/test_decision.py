"""Calibration and decision threshold: laws of the fits, and what the script stores and prints."""

from __future__ import annotations

import json

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from training.calibration import calibrated, fit_calibration
from training.data import read_split
from training.errors import TrainingError
from training.threshold import choose_threshold, parse_rule

ROUNDS = ("--num_boost_round", "20", "--early_stopping_rounds", "0")


def rows_with(scores):
    rows = st.lists(st.tuples(st.booleans(), scores, st.sampled_from([0.5, 1.0, 3.0])), min_size=2, max_size=30)
    return rows.filter(lambda rows: {row[0] for row in rows} == {False, True})


# with ties, 0 and 1 among them
ROWS = rows_with(st.integers(0, 20).map(lambda score: score / 20))


def columns(rows):
    target, scores, weights = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return target, scores, weights


def every_threshold(scores):
    """One threshold for each way to divide the scores; none above a score of 1."""
    distinct = np.unique(scores)
    middles = (distinct[1:] + distinct[:-1]) / 2
    return [distinct[0] / 2, *middles, *([(distinct[-1] + 1) / 2] if distinct[-1] < 1 else [])]


@given(ROWS)
def test_best_f1_is_the_best_of_all_thresholds(rows):
    target, scores, weights = columns(rows)
    threshold, facts = choose_threshold("best-f1", target, scores, weights)
    best = max(
        metrics.f1_score(target, scores >= other, sample_weight=weights, zero_division=0)
        for other in every_threshold(scores)
    )
    reached = metrics.f1_score(target, scores >= threshold, sample_weight=weights, zero_division=0)
    assert reached == pytest.approx(facts["f1"]) == pytest.approx(best)


@given(ROWS, st.floats(0.1, 20), st.floats(0.1, 20))
def test_costs_are_the_least_of_all_thresholds(rows, false_positive, false_negative):
    target, scores, weights = columns(rows)

    def cost(threshold):
        labels = scores >= threshold
        wrong = false_positive * (labels & (target == 0)) + false_negative * (~labels & (target == 1))
        return float(weights @ wrong)

    rule = {"false_positive_cost": false_positive, "false_negative_cost": false_negative}
    threshold, facts = choose_threshold(rule, target, scores, weights)
    assert cost(threshold) == pytest.approx(facts["cost"])
    assert facts["cost"] <= min(map(cost, every_threshold(scores))) + 1e-9
    assert facts["cost_at_0.5"] == pytest.approx(cost(0.5))


@given(ROWS, st.floats(0.05, 1))
def test_enough_precision_with_the_most_recall_or_the_best_that_can_be_reached(rows, precision):
    target, scores, weights = columns(rows)
    reached = {
        other: [
            metric(target, scores >= other, sample_weight=weights, zero_division=0)
            for metric in (metrics.precision_score, metrics.recall_score)
        ]
        for other in every_threshold(scores)
    }
    recalls = [recall for value, recall in reached.values() if value >= precision - 1e-9 and recall > 0]
    try:
        threshold, facts = choose_threshold({"min_precision": precision}, target, scores, weights)
    except TrainingError as error:
        best = max(value for value, _ in reached.values())
        assert best < precision
        assert f"the best precision on the validation split is {best:.4g}" in str(error)
    else:
        assert facts["precision"] >= precision - 1e-9
        assert facts["recall"] == pytest.approx(max(recalls, default=0))
        assert facts["recall"] == pytest.approx(
            metrics.recall_score(target, scores >= threshold, sample_weight=weights, zero_division=0)
        )


@given(ROWS, st.floats(0.05, 1))
def test_enough_recall_with_the_best_precision(rows, recall):
    target, scores, weights = columns(rows)
    _, facts = choose_threshold({"min_recall": recall}, target, scores, weights)
    assert facts["recall"] >= recall - 1e-9
    for other in every_threshold(scores):
        labels = scores >= other
        if metrics.recall_score(target, labels, sample_weight=weights) >= recall:
            precision = metrics.precision_score(target, labels, sample_weight=weights, zero_division=0)
            assert facts["precision"] >= precision - 1e-9


@given(rows_with(st.floats(0, 1)))
def test_a_chosen_threshold_is_between_scores_where_doubles_allow_it(rows):
    target, scores, weights = columns(rows)
    threshold, _ = choose_threshold("best-f1", target, scores, weights)
    below, above = scores[scores < threshold], scores[scores >= threshold]
    if threshold in scores:
        assert threshold == 0 or threshold == np.nextafter(below.max(initial=0.0), 1)
    assert 0 <= threshold <= 1
    assert above.size


def test_a_weight_counts_like_repeated_rows():
    generator = np.random.default_rng(1)
    target, scores = (generator.random(60) < 0.4).astype(float), generator.random(60)
    weights = generator.integers(1, 4, 60)
    repeated = np.repeat(np.arange(60), weights)
    for rule in ("best-f1", {"min_recall": 0.7}, {"false_positive_cost": 1.0, "false_negative_cost": 3.0}):
        weighted = choose_threshold(rule, target, scores, weights.astype(float))
        assert weighted == choose_threshold(rule, target[repeated], scores[repeated], None)
    for method in ("sigmoid", "isotonic"):
        raw = np.log(scores / (1 - scores))
        by_weight = calibrated(raw, fit_calibration(method, raw, target, weights.astype(float)))
        by_rows = calibrated(raw, fit_calibration(method, raw[repeated], target[repeated], None))
        assert by_weight == pytest.approx(by_rows, abs=1e-5)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_mends_probabilities_that_are_too_sure(method):
    generator = np.random.default_rng(2)
    truth = generator.normal(size=4000)
    target = (generator.random(4000) < 1 / (1 + np.exp(-truth))).astype(float)
    raw = 3 * truth - 1
    calibration = fit_calibration(method, raw, target, None)
    answers = calibrated(raw, json.loads(json.dumps(calibration)))
    assert metrics.brier_score_loss(target, answers) < metrics.brier_score_loss(target, calibrated(raw, None)) - 0.01
    assert np.mean(answers) == pytest.approx(target.mean(), abs=0.002)
    assert (np.diff(answers[np.argsort(raw)]) >= 0).all()
    if method == "sigmoid":
        assert calibration["slope"] == pytest.approx(1 / 3, abs=0.03)


def test_a_model_that_orders_records_the_wrong_way_round_is_not_calibrated():
    raw = np.linspace(-1, 1, 50)
    with pytest.raises(TrainingError, match="orders records no better than chance"):
        fit_calibration("sigmoid", raw, (raw < 0).astype(float), None)


@pytest.mark.parametrize("text", ["1", "0", "best", "{}", '{"min_precision": 0.9, "min_recall": 1}', "[0.5]"])
def test_what_is_not_a_rule_is_refused(text):
    with pytest.raises(TrainingError, match="decision_threshold is"):
        parse_rule(text)


@pytest.mark.parametrize("method", ["none", "isotonic", "sigmoid"])
@pytest.mark.parametrize("rule", ["0.3", "best-f1", '{"false_positive_cost": 1, "false_negative_cost": 20}'])
def test_metrics_are_those_of_the_answers_that_the_handler_gives(make_project, run_train, method, rule):
    import inference

    data = make_project("cancer").data
    folder, printed = run_train(data, *ROUNDS, "--calibration", method, "--decision_threshold", rule)
    schema, stored = (json.loads((folder / "model" / f"{name}.json").read_text()) for name in ("schema", "metrics"))
    assert ("calibration" in schema) == (method != "none") == ("calibration" in stored)
    assert stored["decision_threshold"]["value"] == schema["decision_threshold"]
    if rule == "0.3":
        assert schema["decision_threshold"] == 0.3

    rows = read_split(data.output / "validation", data.schema)
    handler = inference.model_fn(str(folder / "model"))
    names = [feature["name"] for feature in data.schema["features"]]
    instances = [dict(zip(names, row.values(), strict=True)) for row in rows.features.to_pylist()]
    request = inference.input_fn(json.dumps({"instances": instances}), "application/json")
    body, _ = inference.output_fn(inference.predict_fn(request, handler), "application/json")
    answers = json.loads(body)["predictions"]
    probabilities = np.array([answer["probability"] for answer in answers])
    labels = np.array([str(answer["label"]) == str(schema["classes"][1]) for answer in answers])

    raw = lgb.Booster(model_file=folder / "model" / "model.txt").predict(rows.features, raw_score=True)
    assert probabilities == pytest.approx(calibrated(raw, schema.get("calibration")), abs=1e-12)
    measured = stored["validation"]
    assert measured["auc"] == pytest.approx(metrics.roc_auc_score(rows.target, probabilities), abs=1e-9)
    assert measured["accuracy"] == pytest.approx(metrics.accuracy_score(rows.target, labels))
    assert measured["f1"] == pytest.approx(metrics.f1_score(rows.target, labels))
    assert f"validation_f1={measured['f1']:.8g}" in printed


def test_the_defaults_store_neither(make_project):
    project = make_project("cancer")
    assert not {"calibration", "decision_threshold"} & json.loads((project.model / "schema.json").read_text()).keys()
    assert not {"calibration", "decision_threshold", "folds"} & project.metrics.keys()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--calibration", "sigmoid"), "calibration is for BinaryClassification, not Regression"),
        (("--decision_threshold", "best-f1"), "decision_threshold is for BinaryClassification, not Regression"),
    ],
)
def test_what_is_for_two_classes_is_refused_for_others(make_project, run_train, given, message):
    with pytest.raises(SystemExit) as failed:
        run_train(make_project("diabetes").data, *ROUNDS, *given)
    assert message in failed.value.code
