"""Labels, predictions and scores by name, index or JSONPath, in files and in merged captures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import QualityError, container
from analyzer.analysis import ModelQuality
from analyzer.files import analysis_file

Write = Callable[[str, str | bytes], Path]
Event = Callable[..., dict[str, Any]]

CSV = '{"csv": {"header": true}}'
JSON = '{"json": {"lines": true}}'
CAPTURES = '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}'
MERGED = '{"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}'


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., ModelQuality]:
    """Return a function that runs a model quality analysis and reads its result files."""

    def run(source: Path, dataset_format: str, problem_type: str, **variables: object) -> ModelQuality:
        environment = {
            "analysis_type": "MODEL_QUALITY",
            "dataset_source": str(source),
            "dataset_format": dataset_format,
            "output_path": str(tmp_path / "output"),
            "problem_type": problem_type,
        }
        container.run(environment | {name: str(value) for name, value in variables.items()})
        result = analysis_file.read(tmp_path / "output").result
        assert isinstance(result, ModelQuality)
        return result

    return run


Measure = Callable[..., ModelQuality]


def value(result: ModelQuality, name: str) -> float | None:
    return next(metric.value for metric in result.metrics if metric.name == name)


def lines(events: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


@pytest.mark.parametrize(
    ("inference", "label"),
    [("out.predictions[0].value", "truth"), ("$.out.predictions[0].value", "$.truth"), ("1", "0")],
)
def test_json_lines_are_read_by_path_or_index(inference: str, label: str, write: Write, measure: Measure) -> None:
    path = write(
        "data.jsonl",
        lines([{"truth": number, "out": {"predictions": [{"value": number + 0.5}]}} for number in range(4)]),
    )
    found = measure(path, JSON, "Regression", inference_attribute=inference, ground_truth_attribute=label)
    assert value(found, "mae") == 0.5


def test_a_csv_without_a_header_is_read_by_index(write: Write, measure: Measure) -> None:
    path = write("data.csv", "1,x,1.5\n2,y,2.5\n")
    found = measure(path, '{"csv": {}}', "Regression", inference_attribute="2", ground_truth_attribute="0")
    assert value(found, "mae") == 0.5


def answer(scores: list[float]) -> str:
    """As in the serving script's response for more than two classes."""
    by_class = dict(zip("abc", scores, strict=True))
    label = max(by_class, key=lambda name: by_class[name])
    return json.dumps({"predictions": [{"label": label, "probability": max(scores), "probabilities": by_class}]})


def truth(event: dict[str, Any], label: str) -> dict[str, Any]:
    return event | {"groundTruthData": {"data": label, "encoding": "CSV"}}


SCORES = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]]
LABELS = ["a", "b", "c", "b"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"inference_attribute": "label"},
        {"inference_attribute": "$.predictions[0].label"},
        {"inference_attribute": "endpointOutput_label"},
        {"inference_attribute": "0"},
        {"probability_attribute": "probabilities"},
        {"probability_attribute": "$.probabilities", "ground_truth_attribute": "0"},
    ],
)
def test_the_endpoints_multiclass_response_is_evaluated_by_its_label_or_its_scores(
    attributes: dict[str, str], write: Write, event: Event, measure: Measure
) -> None:
    events = [truth(event("1", answer(scores)), label) for scores, label in zip(SCORES, LABELS, strict=True)]
    found = measure(write("m.jsonl", lines(events)), MERGED, "MulticlassClassification", **attributes)
    assert value(found, "accuracy") == 0.75
    assert found.statistics["multiclass_classification_metrics"]["confusion_matrix"]["b"] == {"a": 1, "b": 1, "c": 0}


def test_lists_of_scores_predict_the_position_of_the_highest(write: Write, measure: Measure) -> None:
    path = write("data.jsonl", lines([{"y": 2, "p": [0.1, 0.2, 0.7]}, {"y": 0, "p": [0.2, 0.5, 0.3]}]))
    found = measure(path, JSON, "MulticlassClassification", probability_attribute="p", ground_truth_attribute="y")
    assert value(found, "accuracy") == 0.5


def test_the_endpoints_csv_response_is_evaluated_by_index(write: Write, event: Event, measure: Measure) -> None:
    events = [truth(event("1", text, output_encoding="CSV"), label) for text, label in (("1,0.9", "1"), ("0,0.6", "1"))]
    found = measure(
        write("m.jsonl", lines(events)),
        MERGED,
        "BinaryClassification",
        inference_attribute="0",
        probability_attribute="1",
    )
    assert value(found, "recall") == 0.5


def test_named_binary_classes_require_a_positive_label(write: Write, event: Event, measure: Measure) -> None:
    events = [
        truth(event("1", json.dumps({"label": label, "probabilities": {"no": 1 - score, "yes": score}})), actual)
        for label, score, actual in (("yes", 0.9, "yes"), ("no", 0.2, "no"), ("yes", 0.6, "no"))
    ]
    path = write("m.jsonl", lines(events))
    attributes = {"inference_attribute": "label", "probability_attribute": "probabilities"}
    found = measure(path, MERGED, "BinaryClassification", positive_label="yes", **attributes)
    assert (value(found, "precision"), value(found, "auc")) == (0.5, 1.0)
    with pytest.raises(QualityError, match=r"predictions are 'yes', 'no' instead of 0 and 1; set positive_label"):
        measure(path, MERGED, "BinaryClassification", inference_attribute="label")


def test_true_and_false_are_labels_too(write: Write, measure: Measure) -> None:
    path = write("data.csv", "label,p\ntrue,1\nFalse,1\n")
    found = measure(path, CSV, "BinaryClassification", inference_attribute="p", ground_truth_attribute="label")
    assert value(found, "precision") == 0.5


def test_captures_and_labels_are_merged_and_evaluated_in_one_run(
    write: Write, event: Event, measure: Measure, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    actual = generator.integers(0, 2, 300)
    scores = np.clip(actual * 0.5 + generator.normal(0.25, 0.2, 300), 0, 1)
    events = [
        event("1", json.dumps({"predictions": [{"probability": score}]}), identity=str(number))
        for number, score in enumerate(scores.tolist())
    ]
    truths = [
        {"groundTruthData": {"data": str(label), "encoding": "CSV"}, "eventMetadata": {"eventId": str(number)}}
        for number, label in enumerate(actual.tolist())
    ]
    captures, labels = write("captures.jsonl", lines(events)), write("labels.jsonl", lines(truths[:250] + truths[:1]))
    attributes = {"probability_attribute": "probability"}
    found = measure(captures, CAPTURES, "BinaryClassification", ground_truth_source=labels, **attributes)
    assert found.merge is not None
    assert (found.merge.merged, found.merge.unlabelled, found.merge.duplicate_labels) == (250, 50, 1)
    assert found.statistics["dataset"] == {"item_count": 250}
    # The same in two jobs, as in Model Monitor: a merge job, and an analysis of its output.
    merge_job = {
        "dataset_source": str(captures),
        "ground_truth_source": str(labels),
        "output_path": str(tmp_path / "merged"),
    }
    message, _ = container.run(merge_job)
    assert message.startswith("Completed: Merged 250 of 300 inferences; 50 have no label yet, 0 of 250 labels match no")
    again = measure(tmp_path / "merged", MERGED, "BinaryClassification", **attributes)
    assert again.merge == found.merge
    assert again.metrics == found.metrics


def test_labels_that_match_no_inference_are_an_error_with_the_counts(
    write: Write, event: Event, measure: Measure
) -> None:
    captures = write("captures.jsonl", lines([event("1", "0.5")]))
    labels = write("labels.jsonl", lines([truth({"eventMetadata": {"eventId": "other"}}, "1")]))
    with pytest.raises(
        QualityError, match=r"none of the 1 captured inferences matches one of the 1 labels in .*labels"
    ):
        measure(captures, CAPTURES, "Regression", ground_truth_source=labels, inference_attribute="0")
    with pytest.raises(QualityError, match="set dataset_format to sagemakerCaptureJson"):
        measure(captures, JSON, "Regression", ground_truth_source=labels, inference_attribute="0")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"inference_attribute": "score"}, r"column 'score' is not in .* \(columns: endpointOutput_label, groundTruth"),
        ({"inference_attribute": "label", "ground_truth_attribute": "1"}, "column '1' is not in"),
        ({"probability_attribute": "label"}, "column 'label' of .* is not a list or object of scores"),
    ],
)
def test_a_missing_attribute_is_reported_with_the_available_columns(
    attributes: dict[str, str], message: str, write: Write, event: Event, measure: Measure
) -> None:
    path = write("m.jsonl", lines([truth(event("1", '{"label": "a"}'), "a")]))
    with pytest.raises(QualityError, match=message):
        measure(path, MERGED, "MulticlassClassification", **attributes)
