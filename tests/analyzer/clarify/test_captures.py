"""Captured inferences of any endpoint: JSON by JMESPaths, JSON Lines and CSV, with and without ground truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analyzer import NoRecords, QualityError
from analyzer.clarify.job import Attributes
from analyzer.window import Window
from tests.analyzer.clarify.conftest import CONFIG, LOANS, RunJob, metric

ROWS = [line.split(",") for line in LOANS.splitlines()[1:]]
CAPTURES, MERGED = {"sagemakerCaptureJson": {}}, {"sagemakerMergeJson": {}}
# As the SDK's monitors write it: the headers of the baseline job's dataset, and where its label is.
MONITOR = {
    **{key: value for key, value in CONFIG.items() if key in ("label_values_or_threshold", "facet", "methods")},
    "headers": ["sex", "age", "housing", "credit"],
}

Event = Callable[..., dict[str, Any]]
Write = Callable[..., Path]


def lines(events: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def with_truth(event: dict[str, Any], data: str, encoding: str = "CSV") -> dict[str, Any]:
    return event | {"groundTruthData": {"data": data, "encoding": encoding}}


def test_records_of_json_are_found_by_jmespaths(run_job: RunJob, event: Event, write: Write) -> None:
    events = []
    for rows in (ROWS[:3], ROWS[3:]):
        request = json.dumps({"instances": [{"features": row[:3]} for row in rows]})
        answer = json.dumps({"predictions": [{"score": 0.5, "predicted_label": row[4]} for row in rows]})
        truth = json.dumps({"instances": [{"label": row[3]} for row in rows]})
        events.append(with_truth(event(request, answer, input_type="application/json"), truth, "JSON"))
    attributes = Attributes("instances[*].features", "predictions[*].predicted_label")
    captures = write("captures.jsonl", lines(events))
    config = MONITOR | {"label": "instances[*].label"}
    result = run_job(config, captures, dataset_format=MERGED, attributes=attributes)
    expected = run_job(CONFIG).analysis
    assert result.analysis == expected
    assert result.analysis["pre_training_bias_metrics"]["label"] == "credit"


def test_records_of_json_lines_are_found_by_jmespaths(run_job: RunJob, event: Event, write: Write) -> None:
    request = "\n".join(json.dumps({"x": row[:3]}) for row in ROWS)
    answer = "\n".join(json.dumps({"label": row[4]}) for row in ROWS)
    truth = "\n".join(json.dumps({"y": row[3]}) for row in ROWS)
    captured = with_truth(event(request, answer, input_type="application/jsonlines"), truth, "JSON")
    result = run_job(
        MONITOR | {"label": "y"},
        write("captures.jsonl", lines([captured])),
        dataset_format=MERGED,
        attributes=Attributes("x", "label"),
    )
    assert result.analysis == run_job(CONFIG).analysis


@pytest.mark.parametrize("is_lines", [True, False])
def test_the_joined_output_of_a_batch_transform_has_the_predictions_in_sagemakeroutput(
    run_job: RunJob, event: Event, write: Write, is_lines: bool
) -> None:
    predictions = [{"predicted_label": row[4]} for row in ROWS]
    if is_lines:
        outputs = [{"x": row[:3], "SageMakerOutput": answer} for row, answer in zip(ROWS, predictions, strict=True)]
        attributes, truths = Attributes("x", "predicted_label"), [{"y": row[3]} for row in ROWS]
        label = "y"
    else:
        instances = [{"x": row[:3]} for row in ROWS]
        outputs = [{"instances": instances, "SageMakerOutput": {"predictions": predictions}}]
        attributes = Attributes("instances[*].x", "predictions[*].predicted_label")
        truths, label = [{"instances": [{"y": row[3]} for row in ROWS]}], "instances[*].y"
    events = []
    for number, (output, truth) in enumerate(zip(outputs, truths, strict=True)):
        captured = with_truth(event(None, json.dumps(output), identity=str(number)), json.dumps(truth), "JSON")
        captured["captureData"]["endpointOutput"]["encoding"] = "JSON"
        events.append(captured)
    result = run_job(
        MONITOR | {"label": label},
        write("captures.jsonl", lines(events)),
        dataset_format=MERGED,
        attributes=attributes,
    )
    assert result.analysis == run_job(CONFIG).analysis


@pytest.mark.parametrize("header", ["", "sex,age,housing\n"])
def test_records_of_csv_have_the_names_of_the_headers(run_job: RunJob, event: Event, write: Write, header: str) -> None:
    events = [
        with_truth(
            event(header + ",".join(row[:3]), row[4], output_encoding="CSV", identity=str(index)),
            row[3],
        )
        for index, row in enumerate(ROWS)
    ]
    captures = write("captures.jsonl", lines(events))
    assert run_job(MONITOR | {"label": "credit"}, captures, dataset_format=MERGED).analysis == run_job(CONFIG).analysis


def test_a_path_to_the_first_prediction_is_that_of_every_record(run_job: RunJob, event: Event, write: Write) -> None:
    request = json.dumps([dict(zip(("sex", "age", "housing"), row, strict=False)) for row in ROWS])
    answer = json.dumps({"predictions": [{"label": row[4], "probability": 0.5} for row in ROWS]})
    captured = with_truth(event(request, answer, input_type="application/json"), "\n".join(row[3] for row in ROWS))
    captures = write("captures.jsonl", lines([captured]))
    for attributes in (Attributes(inference="predictions[0].label"), Attributes()):
        result = run_job(MONITOR | {"label": "credit"}, captures, dataset_format=MERGED, attributes=attributes)
        assert result.analysis == run_job(CONFIG).analysis


def test_a_facet_that_the_first_request_lacks_is_that_of_the_others(
    run_job: RunJob, event: Event, write: Write
) -> None:
    requests = [dict(zip(("sex", "age", "housing"), row, strict=False)) for row in ROWS]
    requests[0] = {"age": 22}
    answers = [{"predictions": [{"label": row[4]}]} for row in ROWS]
    events = [
        event(json.dumps(request), json.dumps(answer), input_type="application/json", identity=str(index))
        for index, (request, answer) in enumerate(zip(requests, answers, strict=True))
    ]
    config = MONITOR | {"label": "credit", "methods": {"post_training_bias": {"methods": ["DPPL"]}}}
    result = run_job(config, write("captures.jsonl", lines(events)), dataset_format=CAPTURES)
    # without the first woman, of whom nobody knows that she is one
    accepted = [row[4] == "yes" for row in ROWS]
    others = [accepted[0], *accepted[4:]]
    assert metric(result, "DPPL")["value"] == pytest.approx(sum(others) / 7 - sum(accepted[1:4]) / 3)


def test_inferences_outside_of_the_window_are_left_out(run_job: RunJob, event: Event, write: Write) -> None:
    events = [
        event(",".join(row[:3]), row[4], output_encoding="CSV", time=f"2026-01-31T{10 + index}:00:00Z")
        for index, row in enumerate(ROWS)
    ]
    captures = write("captures.jsonl", lines(events))
    config = MONITOR | {"label": "credit", "methods": {"post_training_bias": {"methods": ["DPPL"]}}}
    window = Window(datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 1, 31, 17, tzinfo=UTC))
    assert run_job(config, captures, dataset_format=CAPTURES, window=window).records == 5
    with pytest.raises(NoRecords, match="has no captured records from 2026-02-01"):
        run_job(config, captures, dataset_format=CAPTURES, window=Window(datetime(2026, 2, 1, tzinfo=UTC)))


def test_whole_numbers_are_compared_with_a_threshold_of_doubles(run_job: RunJob, event: Event, write: Write) -> None:
    # Of 400 records with 10 ages, Clarify takes an age for a category.
    rows = [(int(age), index % 3) for index, (_, age, *_) in enumerate(ROWS * 40)]
    events = [
        with_truth(event(f"{age}", f"{label}", output_encoding="CSV", identity=str(index)), f"{label}")
        for index, (age, label) in enumerate(rows)
    ]
    config = MONITOR | {
        "headers": ["age", "income"],
        "label": "income",
        "label_values_or_threshold": [1.0],
        "facet": [{"name_or_index": "age", "value_or_threshold": [41.0]}],
    }
    result = run_job(config, write("captures.jsonl", lines(events)), dataset_format=MERGED)
    (group,) = result.analysis["pre_training_bias_metrics"]["facets"]["age"]
    assert group["value_or_threshold"] == "(41.0, 61.0]"
    above = [[label > 1 for age, label in rows if (age > 41) == is_older] for is_older in (False, True)]
    difference = sum(above[0]) / len(above[0]) - sum(above[1]) / len(above[1])
    assert metric(result, "DPL", "age")["value"] == pytest.approx(difference)
    assert metric(result, "DPPL", "age")["value"] == pytest.approx(difference)


@pytest.mark.parametrize(
    ("request_body", "message"),
    [
        ("male,24", "has 2 values for the 4 headers"),
        ("male,24,rent\nmale,25,own", "has 2 records, but 1 predictions"),
    ],
)
def test_events_that_do_not_fit_are_malformed(
    run_job: RunJob, event: Event, write: Write, request_body: str, message: str
) -> None:
    captures = write("captures.jsonl", lines([with_truth(event(request_body, "yes", output_encoding="CSV"), "yes")]))
    config = MONITOR | {"label": "credit"}
    with pytest.raises(QualityError, match=f"captures.jsonl line 1 {message}"):
        run_job(config, captures, dataset_format=MERGED, malformed_records_limit=0)
    with pytest.raises(NoRecords, match=f"that can be read; the first of 1 malformed ones, .*jsonl:1, {message}"):
        run_job(config, captures, dataset_format=MERGED)


def test_without_responses_metrics_of_predictions_are_null(run_job: RunJob, event: Event, write: Write) -> None:
    captures = write("captures.jsonl", lines([with_truth(event(",".join(row[:3])), row[3]) for row in ROWS]))
    result = run_job(MONITOR | {"label": "credit"}, captures, dataset_format=MERGED)
    assert metric(result, "DPL")["value"] == metric(run_job(CONFIG), "DPL")["value"]
    assert metric(result, "DPPL")["value"] is None
    assert metric(result, "DPPL")["error"]


@pytest.mark.parametrize("threshold", [None, 0.8])
def test_scores_are_compared_with_the_threshold(
    run_job: RunJob, event: Event, write: Write, threshold: float | None
) -> None:
    scores = [0.1, 0.9, 0.7, 0.2, 0.95, 0.6, 0.3, 0.4, 0.85, 1.0]
    events = [
        event(",".join(row[:3]), str(score), output_encoding="CSV", identity=str(score))
        for row, score in zip(ROWS, scores, strict=True)
    ]
    config = MONITOR | {"label": "credit", "label_values_or_threshold": [1]}
    captures = write("captures.jsonl", lines(events))
    result = run_job(config, captures, dataset_format=CAPTURES, attributes=Attributes(probability_threshold=threshold))
    above = [score > (threshold or 0.5) for score in scores]
    assert metric(result, "DPPL")["value"] == pytest.approx(sum(above[4:]) / 6 - sum(above[:4]) / 4)


def test_captures_without_ground_truth_are_refused_as_merged_ones(run_job: RunJob, event: Event, write: Write) -> None:
    captures = write("captures.jsonl", lines([event("male,24,rent", "yes", output_encoding="CSV")]))
    with pytest.raises(QualityError, match="merge captures and ground truth first"):
        run_job(MONITOR | {"label": "credit"}, captures, dataset_format=MERGED, malformed_records_limit=0)
