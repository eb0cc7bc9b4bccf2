"""Training and serving agree: the records of the test split, sent to the handler, get the predictions of Evaluate."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import preprocess
import pyarrow.parquet as pq
import pytest
import train
from csv_records import LONG_BODY
from evaluation.inputs import read_model
from evaluation.predicting import predict_split
from evaluation.samples import sample_lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference import input_fn, model_fn, output_fn, predict_fn
from tests.container_scripts import Preprocessed, Project
from tests.inference.skew_cases import BINARY, MULTICLASS, PROBLEMS, Case, compatible, covering_cases, names_for

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
FEW, MANY = 20, 200
Record = Mapping[str, Any]
MakeTrained = Callable[[Case], "Trained"]


@dataclass(frozen=True)
class Trained:
    """A model, the records of its test split, and the lines of predictions.csv for them.

    Attributes:
        model: The model as the handler loads it.
        schema: The content of its schema.json.
        records: The features of each record, as Preprocess read them.
        texts: The features of each record, as they were written in the data.
        predictions: Of each record, prediction and probability as in predictions.csv, without a probability for
            regressions and rankings.
        samples: The lines of samples.jsonl.
    """

    model: Any
    schema: dict[str, Any]
    records: list[Record]
    texts: list[Record]
    predictions: list[list[str]]
    samples: list[Record]


def run_scripts(case: Case, folder: Path) -> Trained:
    """Run preprocess.py and train.py, and predict the test split as evaluate.py does."""
    (folder / "input").mkdir(parents=True)
    (folder / "input" / "data.csv").write_text(case.csv(), encoding="utf-8")
    output = folder / "output"
    preprocess.main(
        [*case.preprocess_arguments(folder), "--input-dir", str(folder / "input"), "--output-dir", str(output)]
    )
    data = Preprocessed(output, None)
    train.main([*data.training_arguments(folder), *case.training_arguments()])
    if case.features:
        (folder / "model" / "code" / "user_features.py").write_text(case.features, encoding="utf-8")
    schema = json.loads((folder / "model" / "schema.json").read_text(encoding="utf-8"))

    archive = Project("", data, folder / "model", "").packed(folder / "archive") / "model.tar.gz"
    evaluated = read_model(archive)
    outcome = predict_split(evaluated.booster, evaluated.schema, output / "test")
    lines = list(csv.DictReader(io.StringIO("".join(outcome.csv_blocks()), newline="")))
    predictions = [[line[name] for name in ("prediction", "probability") if name in line] for line in lines]
    names = [feature["name"] for feature in schema["features"]]
    records = pq.read_table(output / "records" / "records.parquet").to_pylist()
    assert len(records) == len(predictions) > MANY
    rows = list(csv.DictReader(io.StringIO(case.csv(), newline="")))
    return Trained(
        model_fn(str(folder / "model")),
        schema,
        [{name: record[name] for name in names} for record in records],
        # Lags are not in the data.
        [{name: rows[record["row"]].get(name, record[name]) for name in names} for record in records],
        predictions,
        list(map(json.loads, sample_lines(outcome, evaluated.schema, output / "records"))),
    )


def assert_served_as_evaluated(trained: Trained) -> None:
    for body, content_type, expected in requests(trained):
        for accept in (CSV, JSON, LINES):
            answer, _ = output_fn(predict_fn(input_fn(body, content_type), trained.model), accept)
            found = read_predictions(answer, accept, trained.schema)
            assert [line[0] for line in found] == [line[0] for line in expected] or not trained.schema["classes"]
            numbers = [float(line[-1]) for line in expected]
            assert [float(line[-1]) for line in found] == pytest.approx(numbers, rel=1e-12, abs=1e-12)

    for sample in trained.samples[:FEW]:
        answer, _ = output_fn(predict_fn(input_fn(json.dumps(sample["record"]), JSON), trained.model), JSON)
        (found,), expected = json.loads(answer)["predictions"], sample["prediction"]
        assert found.keys() == expected.keys()
        assert found.get("label") == expected.get("label")
        assert numbers_of(found) == pytest.approx(numbers_of(expected), rel=1e-12, abs=1e-12)


def numbers_of(prediction: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in prediction.items() if isinstance(value, float)} | prediction.get(
        "probabilities", {}
    )


def requests(trained: Trained) -> Iterator[tuple[str, str, Sequence[list[str]]]]:
    """Yield bodies with one, few and many records, their content type, and the expected predictions."""
    for count in (1, FEW, len(trained.records)):
        records, expected = trained.records[:count], trained.predictions[:count]
        yield json.dumps(records), JSON, expected
        yield "".join(f"{json.dumps(record)}\n" for record in records), LINES, expected
        yield json.dumps([list(record.values()) for record in records]), JSON, expected
        given = [{name: value for name, value in record.items() if value is not None} for record in records]
        yield json.dumps(given), JSON, expected
        yield json.dumps(trained.texts[:count]), JSON, expected
        for values in (records, trained.texts[:count]):
            rows = as_csv([list(record.values()) for record in values])
            yield as_csv([list(records[0])]) + rows, CSV, expected
            yield rows, CSV, expected
    # Long enough for Arrow's parser.
    times = LONG_BODY // len(rows) + 1
    yield as_csv([list(records[0])]) + rows * times, CSV, list(expected) * times


def as_csv(rows: Sequence[Sequence[Any]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def read_predictions(answer: str, accept: str, schema: Mapping[str, Any]) -> list[list[str]]:
    """Read a response as lines of predictions.csv."""
    if accept == CSV:
        return list(csv.reader(io.StringIO(answer, newline="")))
    predictions = json.loads(answer)["predictions"] if accept == JSON else list(map(json.loads, answer.splitlines()))
    if not schema["classes"]:
        return [[repr(prediction["prediction"])] for prediction in predictions]

    def label(prediction: Mapping[str, Any]) -> str:
        is_code = schema["problem_type"] == BINARY
        return str(schema["classes"].index(prediction["label"]) if is_code else prediction["label"])

    return [[label(prediction), repr(prediction["probability"])] for prediction in predictions]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_records_of_the_test_split_get_the_predictions_of_evaluate(problem, tmp_path):
    trained = run_scripts(Case(problem, ()), tmp_path)
    assert_served_as_evaluated(trained)
    answers = {line[0] for line in trained.predictions}
    assert len(answers) > (2 if problem == MULTICLASS else 1), "a model that predicts the same for all shows nothing"


@pytest.mark.slow
@pytest.mark.parametrize("case", covering_cases(), ids=lambda case: f"{case.problem}: {', '.join(case.names)}"[:80])
def test_every_option_is_served_as_it_was_trained(case, tmp_path):
    assert_served_as_evaluated(run_scripts(case, tmp_path))


CASES = st.sampled_from(PROBLEMS).flatmap(
    lambda problem: (
        st.lists(st.sampled_from(names_for(problem)), min_size=2, unique=True)
        .filter(compatible)
        .map(lambda names: Case(problem, tuple(sorted(names))))
    )
)


@settings(max_examples=6, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(CASES)
def test_options_are_served_together_as_they_were_trained(tmp_path_factory, case):
    folder = tmp_path_factory.mktemp("skew")
    assert_served_as_evaluated(run_scripts(case, folder))
    shutil.rmtree(folder)


def test_derived_columns_are_explained_by_their_own_names(tmp_path):
    trained = run_scripts(Case(BINARY, ("dates", "features.py", "frequencies")), tmp_path)
    accept = f"{JSON};explain=100"
    answer, _ = output_fn(predict_fn(input_fn(json.dumps(trained.texts[:FEW]), JSON), trained.model), accept)
    for prediction, record in zip(json.loads(answer)["predictions"], trained.texts, strict=False):
        explanation = prediction["explanation"]
        shown = {item["feature"]: item["value"] for item in explanation["contributions"]}
        assert set(shown) == {column["name"] for column in trained.schema["columns"]}
        assert {"signup_weekday", "size_per_visit", "district", "zip"} <= set(shown)
        assert shown["district"] == (record["area"].strip()[0] if record["area"] not in ("", "NA") else None)
        total = explanation["base_value"] + sum(item["contribution"] for item in explanation["contributions"])
        assert total == pytest.approx(explanation["raw_score"], abs=1e-9)
        assert prediction["probability"] == pytest.approx(1 / (1 + math.exp(-total)), abs=1e-9)
