"""Explanations in responses: contributions, base value and raw score, and how a request asks for them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import capture
import explanations
import lightgbm as lgb
import numpy as np
import pytest
from booster import CApi, ImportedLightGbm
from hypothesis import given
from hypothesis import strategies as st
from request_errors import InputError
from request_limits import Limits

from inference import input_fn, model_fn, output_fn, predict_fn

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
EXPLAINED, EXPLAINED_LINES = f"{JSON};explain=true", f"{LINES}; explain=3"


class Headers:
    """The context of SageMaker's inference toolkit."""

    def __init__(self, **headers: str):
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def get_request_header(self, index: int, name: str) -> str | None:
        return self._headers.get(name)


def ask(model: Any, body: Any, accept: str = EXPLAINED, content_type: str = JSON, context: Any = None) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    return output_fn(predict_fn(input_fn(text, content_type), model), accept, context)[0]


def predictions(answer: str) -> list[dict[str, Any]]:
    return json.loads(answer)["predictions"]


@pytest.fixture(scope="module")
def model(make_project):
    return model_fn(str(make_project("mixed").model))


@pytest.fixture(scope="module")
def records(make_project) -> list[dict[str, Any]]:
    """Records with numbers, texts and missing values."""
    rows = make_project("mixed").data.rows("baseline")[:150]
    return [{name: as_value(text) for name, text in row.items()} for row in rows]


def as_value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return {"": None, "True": True, "False": False}.get(text, text)


def raw_scores(model: Any, records: list[dict[str, Any]]) -> np.ndarray:
    booster = lgb.Booster(model_file=model.booster.path)
    encoded = np.array([model.features.encode(record, 1) for record in records])
    return np.asarray(booster.predict(encoded, raw_score=True))


def test_contributions_base_value_and_the_rest_sum_to_the_raw_score(model, records):
    expected = raw_scores(model, records)
    for answer in (
        predictions(ask(model, records)),
        [predictions(ask(model, record))[0] for record in records[:10]],
        [json.loads(line) for line in ask(model, records, EXPLAINED_LINES).splitlines()],
    ):
        for prediction, raw_score in zip(answer, expected, strict=False):
            explanation = prediction["explanation"]
            listed = [item["contribution"] for item in explanation["contributions"]]
            total = sum(listed) + explanation["other_features"] + explanation["base_value"]
            assert total == pytest.approx(raw_score, abs=1e-9)
            assert explanation["raw_score"] == pytest.approx(raw_score, abs=1e-9)
            assert prediction["probability"] == pytest.approx(1 / (1 + np.exp(-raw_score)), abs=1e-9)
            assert explanation["class"] == "other", "the positive class"


def test_the_largest_contributions_come_first_with_the_values_that_were_sent(model, records):
    record = records[1] | {"colour": " deep "}
    everything = predictions(ask(model, record, f"{JSON};explain=100"))[0]["explanation"]
    sizes = [abs(item["contribution"]) for item in everything["contributions"]]
    assert sizes == sorted(sizes, reverse=True)
    assert everything["other_features"] == 0
    shown = {item["feature"]: item["value"] for item in everything["contributions"]}
    assert shown == record | {"colour": "deep"}
    two = predictions(ask(model, record, f"{JSON};explain=2"))[0]["explanation"]
    assert two["contributions"] == everything["contributions"][:2]
    rest = sum(item["contribution"] for item in everything["contributions"][2:])
    assert two["other_features"] == pytest.approx(rest, abs=1e-12)


def test_numbers_of_csv_requests_are_shown_as_numbers(model):
    names = ["alcohol, %", "colour", "malic acid", "proline above 700", "vineyard"]
    body = "13,deep,NA,true,\n"
    (prediction,) = predictions(ask(model, body, f"{JSON};explain=100", CSV))
    shown = {item["feature"]: item["value"] for item in prediction["explanation"]["contributions"]}
    assert shown == dict(zip(names, [13.0, "deep", None, "true", ""], strict=True))


def test_without_the_explanation_a_prediction_is_the_usual_one(model, records):
    explained = predictions(ask(model, records))
    for prediction in explained:
        del prediction["explanation"]
    assert explained == predictions(ask(model, records, JSON))


def test_more_than_two_classes_explain_the_predicted_one(make_project):
    project = make_project("wine")
    model = model_fn(str(project.model))
    rows = [list(map(float, row.values())) for row in project.data.rows("baseline")[:20]]
    raw = np.asarray(lgb.Booster(model_file=project.model / "model.txt").predict(np.array(rows), raw_score=True))
    found = predictions(ask(model, rows))
    for prediction, scores in zip(found, raw, strict=True):
        assert prediction["explanation"]["class"] == prediction["label"] == int(scores.argmax())
        assert prediction["explanation"]["raw_score"] == pytest.approx(scores.max(), abs=1e-9)
    assert len({prediction["label"] for prediction in found}) == 3


def test_a_regression_explains_its_number(make_project):
    project = make_project("diabetes")
    rows = [list(map(float, row.values())) for row in project.data.rows("baseline")[:5]]
    for prediction in predictions(ask(model_fn(str(project.model)), rows)):
        assert prediction["explanation"]["raw_score"] == pytest.approx(prediction["prediction"], abs=1e-9)
        assert "class" not in prediction["explanation"]


# --- how to ask ---


@pytest.mark.parametrize(
    ("accept", "attributes", "listed"),
    [
        (JSON, "", None),
        (JSON, "test-request", None),
        (JSON, "trace=1; explain=true", 5),
        (JSON, "explain=2", 2),
        ("*/*", "explain=TRUE", 5),
        (f"{JSON};explain=false", "explain=2", None),
        (f'{JSON}; Explain="3"', "", 3),
        (f"{JSON};q=0.9;explain=1, text/csv", "", 1),
    ],
)
def test_accept_and_custom_attributes_ask_for_explanations(model, records, accept, attributes, listed):
    context = Headers(X_Amzn_SageMaker_Custom_Attributes=attributes)
    (prediction,) = predictions(ask(model, records[0], accept, context=context))
    found = prediction.get("explanation")
    assert (found and len(found["contributions"])) == listed


@pytest.mark.parametrize("choice", ["yes", "0", "101", "-1", "5.0", "", "٣", "9" * 5000])
def test_another_number_of_features_is_refused(model, records, choice):
    with pytest.raises(InputError, match=r"explain is .*; send true, or the number of features to list, 1 to 100"):
        ask(model, records[0], f"{JSON};explain={choice}")


def test_csv_responses_cannot_be_explained(model, records):
    with pytest.raises(InputError, match="text/csv has no place for explanations; accept application/json") as refused:
        ask(model, records[0], f"{CSV};explain=true")
    assert refused.value.status_code == 406


# --- limits ---


def test_at_most_a_thousand_records_are_explained_outside_of_batch_transform(make_project, monkeypatch, records):
    many = [records[0]] * 1001
    with pytest.raises(InputError, match="contains 1001 records, but at most 1000 are explained") as refused:
        ask(model_fn(str(make_project("mixed").model)), many)
    assert refused.value.status_code == 413
    monkeypatch.setenv("SAGEMAKER_BATCH", "true")
    batch = model_fn(str(make_project("mixed").model))
    assert ask(batch, many, EXPLAINED_LINES).count("\n") == 1001


def test_a_response_of_explanations_has_a_length_limit(model, records):
    request = input_fn(json.dumps(records), JSON)
    scores = predict_fn(request, model).scores
    with pytest.raises(InputError, match="send at most 3 such records in each request, ask for fewer features, or"):
        model.response_format.explained_body(scores, model.explain(request, scores, 5), JSON, Limits(response=2500))


def test_a_long_text_is_shortened(model):
    (prediction,) = predictions(ask(model, {"colour": "x" * 10_000, "vineyard": "\ud800"}))
    shown = {item["feature"]: item["value"] for item in prediction["explanation"]["contributions"]}
    assert shown["colour"] == "x" * 97 + "..."
    assert shown["vineyard"] == "\ud800"
    ask(model, {"vineyard": "\ud800"}).encode()


def test_a_model_with_linear_trees_says_that_it_cannot_be_explained(make_project, tmp_path):
    project = make_project("diabetes")
    shutil.copytree(project.model, tmp_path / "model")
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, len(project.data.schema["features"])))
    parameters = {"linear_tree": True, "verbosity": -1, "num_threads": 1}
    booster = lgb.train(parameters, lgb.Dataset(features, features[:, 0]), 3)
    booster.save_model(tmp_path / "model" / "model.txt")
    model, body = model_fn(str(tmp_path / "model")), features[:1].tolist()
    with pytest.raises(InputError, match="the model has linear trees, which LightGBM cannot explain"):
        ask(model, body)
    assert predictions(ask(model, body, JSON))


# --- how it is computed ---


@given(st.lists(st.lists(st.floats(-4, 20) | st.just(np.nan), min_size=5, max_size=5), min_size=1, max_size=5))
def test_contributions_are_those_of_lightgbm(model, rows):
    library, package = CApi(model.booster.path), ImportedLightGbm(model.booster.path)
    expected = lgb.Booster(model_file=model.booster.path).predict(np.array(rows), pred_contrib=True).ravel()
    assert list(library.contributions(rows)) == list(package.contributions(rows)) == expected.tolist()


def test_an_explanation_needs_no_numpy_and_a_prediction_no_explanations(make_project):
    program = f"""
import sys
sys.path.insert(0, {str(Path(explanations.__file__).parent)!r})
import inference
model = inference.model_fn({str(make_project("mixed").model)!r})
def ask(accept):
    return inference.output_fn(inference.predict_fn(inference.input_fn(b"{{}}", "application/json"), model), accept)
ask("application/json")
assert "explanations" not in sys.modules
ask("application/json;explain=true")
print(sorted(sys.modules.keys() & {{"numpy", "pandas", "lightgbm"}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


# --- monitoring ---


def test_model_quality_reads_explained_responses_like_others(model, records, make_project, tmp_path):
    pytest.importorskip("analyzer.container")
    labels = [row["target"] for row in make_project("mixed").data.rows("train")[:60]]
    metrics = {name: model_quality(tmp_path / name, model, records, labels, name) for name in ("plain", "explained")}
    assert metrics["explained"] == metrics["plain"]
    assert metrics["plain"]["accuracy"]["value"] > 0.5


def model_quality(folder: Path, model: Any, records: list[dict[str, Any]], labels: list[str], name: str) -> Any:
    """Capture responses, of which every other is explained, merge them with labels, and measure the model."""
    from analyzer.container import run

    write_captures(folder, model, records, labels, EXPLAINED if name == "explained" else JSON)
    run(
        {
            "dataset_source": str(folder / "captures"),
            "ground_truth_source": str(folder / "labels"),
            "output_path": str(folder / "merged"),
        }
    )
    run(
        {
            "analysis_type": "MODEL_QUALITY",
            "dataset_source": str(folder / "merged"),
            "dataset_format": json.dumps({"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}),
            "problem_type": "BinaryClassification",
            "inference_attribute": "predictions[0].label",
            "probability_attribute": "predictions[0].probability",
            "positive_label": "other",
            "output_path": str(folder / "quality"),
        }
    )
    content = json.loads((folder / "quality" / "statistics.json").read_text(encoding="utf-8"))
    return content["binary_classification_metrics"]


def write_captures(folder: Path, model: Any, records: list[dict[str, Any]], labels: list[str], accept: str) -> None:
    (folder / "captures").mkdir(parents=True)
    (folder / "labels").mkdir()
    captures, truths = [], []
    for place, (record, label) in enumerate(zip(records, labels, strict=False)):
        body, response = json.dumps(record), ask(model, record, accept if place % 2 else JSON)
        event = capture.Event(
            datetime(2026, 1, 1, tzinfo=UTC),
            capture.Payload(body, JSON),
            capture.Payload(response, JSON),
            str(place),
            None,
        )
        captures.append(capture.capture_line(event))
        truths.append(
            {
                "groundTruthData": {"data": ["barolo", "other"][int(label)], "encoding": "CSV"},
                "eventMetadata": {"eventId": str(place)},
                "eventVersion": "0",
            }
        )
    (folder / "captures" / "captures.jsonl").write_text("".join(captures), encoding="utf-8")
    (folder / "labels" / "labels.jsonl").write_text("".join(f"{json.dumps(truth)}\n" for truth in truths))
