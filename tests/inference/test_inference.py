"""Requests, responses and errors of the serving functions."""

from __future__ import annotations

import csv
import io
import json

import lightgbm as lgb
import numpy as np
import pytest
from csv_records import is_header
from features import Feature, Features
from hypothesis import given
from hypothesis import strategies as st
from request_errors import InputError
from response_bodies import number_texts
from training.data import read_split

from inference import input_fn, model_fn, output_fn, predict_fn

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"


@pytest.fixture(scope="module")
def model(make_project):
    return model_fn(str(make_project("mixed").model))


@pytest.fixture(scope="module")
def rows(make_project) -> list[dict[str, str]]:
    """Records with their original values."""
    return make_project("mixed").data.rows("baseline")[:20]


@pytest.fixture(scope="module")
def expected(make_project) -> list[float]:
    """The predictions for the same records of the encoded training split."""
    project = make_project("mixed")
    encoded = read_split(project.data.output / "train", project.data.schema)
    return lgb.Booster(model_file=project.model / "model.txt").predict(encoded.features[:20]).tolist()


def ask(model, body, content_type, accept=JSON):
    return output_fn(predict_fn(input_fn(body, content_type), model), accept)[0]


def probabilities(answer: str) -> list[float]:
    return [prediction["probability"] for prediction in json.loads(answer)["predictions"]]


def as_csv(rows: list[list[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def as_json(row: dict[str, str]) -> dict:
    """Convert a record to the JSON that a client would send."""
    meanings = {"": None, "True": True, "False": False}
    record = {name: meanings.get(value, value) for name, value in row.items()}
    return record | {name: float(row[name]) for name in ("alcohol, %",)}


def test_every_content_type_gets_the_predictions_of_the_training_data(model, rows, expected):
    values = [list(row.values()) for row in rows]
    objects = [as_json(row) for row in rows]
    arrays = [list(record.values()) for record in objects]
    bodies = [
        (as_csv(values), CSV),
        (as_csv([list(rows[0]), *values]), CSV),
        (as_csv([list(rows[0]), *values]).decode(), "text/csv; charset=utf-8"),
        (b"\xef\xbb\xbf" + as_csv([list(rows[0]), *values]), "text/csv;header=present"),
        (json.dumps(objects).encode(), JSON),
        (json.dumps(arrays).encode(), "Application/JSON"),
        (json.dumps({"instances": objects}).encode(), JSON),
        (json.dumps({"instances": arrays}).encode(), JSON),
        ("\n".join(map(json.dumps, objects)).encode(), LINES),
        ("\r\n".join(map(json.dumps, arrays)).encode() + b"\n\n", LINES),
    ]
    for body, content_type in bodies:
        assert probabilities(ask(model, body, content_type)) == expected, content_type


def test_a_single_record_is_an_object_or_an_array(model, rows, expected):
    record = as_json(rows[0])
    for body in (record, list(record.values()), {"instances": [record]}):
        assert probabilities(ask(model, json.dumps(body), JSON)) == expected[:1]


def test_named_features_may_come_in_any_order(model, rows, expected):
    backwards = [dict(reversed(as_json(row).items())) for row in rows]
    assert probabilities(ask(model, json.dumps(backwards), JSON)) == expected
    shuffled = as_csv([list(reversed(rows[0])), *(list(reversed(row.values())) for row in rows)])
    assert probabilities(ask(model, shuffled, CSV)) == expected


def test_an_omitted_feature_is_missing(model, rows):
    empty = [as_json(row) | {"colour": None} for row in rows]
    absent = [{name: value for name, value in record.items() if name != "colour"} for record in empty]
    assert ask(model, json.dumps(absent), JSON) == ask(model, json.dumps(empty), JSON)


def test_an_unknown_category_is_missing(model, rows):
    unknown = [as_json(row) | {"colour": "mauve"} for row in rows]
    missing = [as_json(row) | {"colour": ""} for row in rows]
    assert ask(model, json.dumps(unknown), JSON) == ask(model, json.dumps(missing), JSON)


def test_a_first_line_that_could_be_a_record_is_not_a_header():
    """A category may have the name of a feature."""
    features = Features(
        [
            Feature("colour", {"colour": 0, "plan": 1}),
            Feature("plan", {"other": 0, "plan": 1}),
            Feature("x", None),
        ]
    )
    assert not is_header(["plan", "other", "3"], features)
    assert not is_header(["colour", "plan", "NA"], features)
    assert is_header(["colour", "plan", "x"], features), "'x' is not a number"
    assert is_header(["plan", "colour", "3"], features), "'colour' is not a plan"
    assert is_header(["plan", "x"], features), "a record has three values"


# --- responses ---


def test_a_binary_prediction_has_label_and_probabilities(model, rows, expected):
    answer = json.loads(ask(model, json.dumps([as_json(row) for row in rows]), JSON))
    for prediction, score in zip(answer["predictions"], expected, strict=True):
        assert prediction["label"] == ("other" if score >= 0.5 else "barolo")
        assert prediction["probability"] == prediction["probabilities"]["other"] == score
        assert prediction["confidence"] == prediction["probabilities"][prediction["label"]] >= 0.5
        assert sum(prediction["probabilities"].values()) == pytest.approx(1)


def test_csv_responses_have_the_lines_of_predictions_csv(model, rows, expected):
    answer = ask(model, json.dumps([as_json(row) for row in rows]), JSON, CSV)
    assert answer == "".join(f"{int(score >= 0.5)},{score!r}\n" for score in expected)


@given(st.lists(st.floats() | st.floats(-1, 1) | st.integers(-(10**20), 10**20).map(float), min_size=1))
def test_numbers_of_an_array_are_written_as_python_writes_them(numbers):
    assert number_texts(np.array(numbers)) == [repr(number) for number in numbers]


def test_json_lines_responses_have_a_prediction_per_line(model, rows, expected):
    answer = ask(model, json.dumps([as_json(row) for row in rows]), JSON, LINES)
    assert [json.loads(line)["probability"] for line in answer.splitlines()] == expected


def test_a_multiclass_prediction_has_the_probability_of_its_label(make_project):
    project = make_project("wine")
    model = model_fn(str(project.model))
    rows = project.data.rows("baseline")[:5]
    answer = json.loads(ask(model, json.dumps([list(map(float, row.values())) for row in rows]), JSON))
    for prediction, row in zip(answer["predictions"], project.data.rows("train"), strict=False):
        assert prediction["label"] == int(row["target"]), "an integer label stays one"
        assert prediction["probability"] == max(prediction["probabilities"].values())
        assert list(prediction["probabilities"]) == ["0", "1", "2"]
    lines = ask(model, json.dumps([list(map(float, row.values())) for row in rows]), JSON, CSV).splitlines()
    assert lines[0] == f"{answer['predictions'][0]['label']},{answer['predictions'][0]['probability']!r}"


def test_a_regression_predicts_numbers(make_project):
    project = make_project("diabetes")
    model = model_fn(str(project.model))
    body = as_csv([list(row.values()) for row in project.data.rows("baseline")[:3]])
    numbers = [prediction["prediction"] for prediction in json.loads(ask(model, body, CSV))["predictions"]]
    encoded = read_split(project.data.output / "train", project.data.schema).features[:3]
    assert numbers == lgb.Booster(model_file=project.model / "model.txt").predict(encoded).tolist()
    assert ask(model, body, CSV, CSV) == "".join(f"{number!r}\n" for number in numbers)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (JSON, JSON),
        ("*/*", JSON),
        ("", JSON),
        (None, JSON),
        ("application/*", JSON),
        ("text/html, text/csv;q=0.9, */*", CSV),
        ("TEXT/CSV", CSV),
        (LINES, LINES),
    ],
)
def test_the_response_has_the_first_supported_accepted_type(model, rows, accept, content_type):
    predictions = predict_fn(input_fn(json.dumps([as_json(row) for row in rows]), JSON), model)
    assert output_fn(predictions, accept)[1] == content_type


# --- refusals ---


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (
            '{"colour": "deep", "smell": 3}',
            JSON,
            "row 1: the model has no feature 'smell' (features: alcohol, %, colour",
        ),
        ("colour,smell\ndeep,3\n", CSV, "row 1: the model has no feature 'smell'"),
        ('[{"malic acid": 1}, {"malic acid": "sour"}]', JSON, "row 2: feature 'malic acid' is 'sour', not a number"),
        ('{"malic acid": true}', JSON, "row 1: feature 'malic acid' is True, not a number"),
        ('{"malic acid": [1]}', JSON, "row 1: feature 'malic acid' is [1], not a number"),
        ('{"malic acid": "inf"}', JSON, "row 1: feature 'malic acid' is 'inf', not a number"),
        ('{"malic acid": 1e999}', JSON, "row 1: feature 'malic acid' is inf, out of range for a number"),
        ('{"malic acid": 1' + "0" * 400 + "}", JSON, "row 1: feature 'malic acid' is 1000000"),
        ('{"malic acid": NaN}', JSON, "the body is not JSON: NaN is not a JSON value; send null"),
        ('{"colour": {"deep": 1}}', JSON, "row 1: feature 'colour' is {'deep': 1}, not a category"),
        ("[1, 2]", JSON, "row 1 has 2 values, but the model has 5 features"),
        ("1,2\n", CSV, "row 1 has 2 values, but the model has 5 features"),
        ("colour,malic acid\ndeep\n", CSV, "row 1 has 1 fields, but the header has 2"),
        ("7", JSON, "row 1 is neither an object nor an array"),
        ('[{"malic acid": 1}, 7]', JSON, "row 2 is neither an object nor an array"),
        ("{", JSON, "the body is not JSON"),
        ('{"malic acid": 1}\n{', LINES, "row 2 is not JSON"),
        ("", CSV, "the request contains no records"),
        ("colour,malic acid\n", CSV, "the request contains no records"),
        ("[]", JSON, "the request contains no records"),
        ('{"instances": []}', JSON, "the request contains no records"),
        ("", LINES, "the request contains no records"),
        (b"\xff\xfe", CSV, "the body is not UTF-8"),
        ("<x/>", "application/xml", "content type 'application/xml' is not supported; send text/csv"),
    ],
)
def test_the_error_for_an_invalid_request_names_place_and_reason(model, body, content_type, message):
    with pytest.raises(InputError) as refused:
        ask(model, body, content_type)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"malic acid": 2.5, "smell": 3}', JSON),
        (b"smell,malic acid\n3,2.5\n", CSV),
        (b"smell,malic acid\n" + b"3,2.5\n" * 10_000, CSV),
    ],
)
def test_unknown_features_are_ignored_if_configured(make_project, monkeypatch, body, content_type):
    monkeypatch.setenv("UNKNOWN_FEATURES", "ignore")
    model = model_fn(str(make_project("mixed").model))
    known = ask(model, b'{"malic acid": 2.5}', JSON)
    assert probabilities(ask(model, body, content_type))[0] == pytest.approx(probabilities(known)[0], rel=1e-12)


def test_an_invalid_setting_is_refused_at_startup(make_project, monkeypatch):
    monkeypatch.setenv("UNKNOWN_FEATURES", "yes")
    with pytest.raises(ValueError, match="UNKNOWN_FEATURES is 'yes'; set it to refuse or ignore"):
        model_fn(str(make_project("mixed").model))


def test_an_unsupported_accept_header_is_refused(model, rows):
    with pytest.raises(InputError, match="accept 'text/html' is not supported; accept application/json"):
        ask(model, json.dumps(as_json(rows[0])), JSON, "text/html")


def test_a_model_that_does_not_fit_its_schema_is_refused(make_project, tmp_path):
    (tmp_path / "model.txt").write_bytes((make_project("cancer").model / "model.txt").read_bytes())
    (tmp_path / "schema.json").write_bytes((make_project("wine").model / "schema.json").read_bytes())
    with pytest.raises(ValueError, match=r"model\.txt has 30 features, but schema\.json has 13"):
        model_fn(str(tmp_path))


def test_a_model_that_cannot_predict_is_never_healthy(make_project, tmp_path):
    """The schema has other classes than the model."""
    source = make_project("wine").model
    (tmp_path / "model.txt").write_bytes((source / "model.txt").read_bytes())
    schema = json.loads((source / "schema.json").read_text())
    (tmp_path / "schema.json").write_text(json.dumps(schema | {"classes": [0, 1]}))
    with pytest.raises(
        ValueError, match=r"model\.txt has 3 outputs, but schema\.json has 2 classes; train the model again"
    ):
        model_fn(str(tmp_path))
    (tmp_path / "model.txt").write_text("")
    with pytest.raises(ValueError, match=r"LightGBM cannot read model\.txt"):
        model_fn(str(tmp_path))


def test_records_by_name_are_encoded_in_the_models_order(model):
    """The matrix has a column per feature, in the model's order."""
    values = model.features.encode({"malic acid": 2.5, "alcohol, %": 13}, row=1)
    assert values[0] == 13
    assert values[2] == 2.5
    assert np.isnan([values[1], values[3], values[4]]).all()
