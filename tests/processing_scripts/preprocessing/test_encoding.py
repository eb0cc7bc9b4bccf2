"""Training and serving encode the same values as the same numbers."""

from __future__ import annotations

import csv
import json
import math
import string
import tempfile
from pathlib import Path

import features
import numpy as np
import preprocess
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analyzer.values import MISSING

# Texts that look like numbers, booleans, dates and missing values, and arbitrary texts.
WORDS = st.sampled_from(
    ["true", "False", "1.0", "01", "7", "-3.00", "2.50", "1e3", "NA", "null", "2024-01-31", "12:30", "0x1F", "+5"]
)
TEXTS = st.one_of(WORDS, st.text(string.ascii_letters + "0123456789 .,;\"'é日\n-", max_size=6))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.integers(-(2**70), 2**70).map(str)
# A column of numbers or texts, with missing values.
COLUMNS = st.lists(
    st.sampled_from([NUMBERS, TEXTS]).flatmap(lambda values: st.lists(values | st.just(""), min_size=8, max_size=8)),
    min_size=2,
    max_size=4,
)


@settings(max_examples=25)
@given(COLUMNS, st.booleans())
def test_a_request_is_encoded_as_training_data_was(values, all_categories):
    names = [f"f{index}" for index in range(len(values))]
    assume(all(any(text.strip() not in MISSING for text in column) for column in values))
    lines = [["target", *names], *([str(row), *line] for row, line in enumerate(zip(*values, strict=True)))]
    # Rows 5 to 7 are outside the training split, so that some categories are unknown.
    shares = ["--train-share=0.6", "--validation-share=0.2", "--test-share=0.2"]
    arguments = [
        "--problem-type=Regression",
        "--target-column=target",
        "--min-rows=1",
        "--max-missing-share=1",
        *shares,
    ]
    arguments += ["--split-strategy=time", "--time-column=target"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input").mkdir()
        with (Path(folder) / "input" / "data.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)
        arguments += [f"--input-dir={folder}/input", f"--output-dir={folder}/output"]
        preprocess.main([*arguments, *(["--categorical-columns", *names] if all_categories else [])])
        schema = json.loads((Path(folder) / "output" / "schema" / "schema.json").read_text(encoding="utf-8"))
        splits = ("train", "validation", "test")
        encoded = pa.concat_tables(
            [pq.read_table(Path(folder) / "output" / split / f"{split}.parquet") for split in splits]
        )

    served_features = features.Features(features.read_features(schema))
    for row, line in enumerate(lines[1:]):
        trained = [encoded[name][row].as_py() for name in names]
        served = served_features.encode(dict(zip(names, line[1:], strict=True)), row)
        np.testing.assert_array_equal(np.array(trained, float), served)


def test_json_values_match_the_categories_of_a_csv():
    feature = features.Feature("plan", {"3": 0, "true": 1, "2.5": 2})
    for value, code in ((3, 0), (3.0, 0), ("3", 0), (" 3.0 ", 0), (True, 1), ("TRUE", 1), (2.5, 2)):
        assert features.as_code(value, feature, row=1) == code
    for value in (None, "", "NA", "gold", 4, False):
        assert math.isnan(features.as_code(value, feature, row=1))


def test_codes_and_classes_are_learned_on_the_training_split_alone(run_preprocess):
    plans = ["gold" if row % 2 else "basic" for row in range(100)]
    plans[99] = "platinum"
    lines = ["at,plan,target", *(f"{row},{plans[row]},{'yes' if row % 3 else 'no'}" for row in range(100))]
    data = run_preprocess("\n".join(lines), "--split-strategy", "time", "--time-column", "at")
    (plan,) = data.schema["features"]
    assert plan == {"name": "plan", "type": "category", "categories": ["basic", "gold"]}
    assert data.rows("test")[-1]["plan"] == "", "unknown is missing"
    assert data.rows("test")[-2]["plan"] == "0"
    assert data.check("unseen_categories")["columns"] == ["plan"]


def test_the_baseline_has_the_original_values(make_project):
    data = make_project("mixed").data
    assert list(data.rows("baseline")[0]) == ["alcohol, %", "colour", "malic acid", "proline above 700", "vineyard"]
    assert {row["colour"] for row in data.rows("baseline")} == {"pale", "medium", "deep"}
    assert {row["proline above 700"] for row in data.rows("baseline")} == {"True", "False"}
    assert {row["vineyard"] for row in data.rows("baseline")} == {"", "N° 0", "N° 1", "N° 2"}
    assert len(data.rows("baseline")) == len(data.rows("train"))


def test_numbers_are_unchanged(run_preprocess):
    generator = np.random.default_rng(0)
    values = (generator.normal(size=200) * 10.0 ** generator.integers(-300, 300, 200)).tolist()
    lines = ["x,target", *(f"{value!r},{row % 2}" for row, value in enumerate(values))]
    data = run_preprocess("\n".join(lines))
    found = [float(row["x"]) for split in ("train", "validation", "test") for row in data.rows(split)]
    assert sorted(found) == sorted(values)


def test_the_encoded_target_comes_first_and_the_features_in_schema_order(make_project):
    data = make_project("mixed").data
    assert list(data.rows("train")[0]) == ["target", *(feature["name"] for feature in data.schema["features"])]
    assert {row["target"] for row in data.rows("train")} == {"0", "1"}
    assert {row["vineyard"] for row in data.rows("train")} == {"", "0", "1", "2"}


def test_classes_keep_their_json_type_and_the_positive_one_comes_last(run_preprocess):
    rows = [f"{row}.5,{row % 2},{'yes' if row % 2 else 'no'}" for row in range(60)]
    content = "\n".join(["x,target,answer", *rows])
    assert run_preprocess(content).schema["classes"] == [0, 1]
    assert run_preprocess(content, "--positive-class", "0").schema["classes"] == [1, 0]
    assert run_preprocess(content, "--target-column", "answer").schema["classes"] == ["no", "yes"]
    assert run_preprocess(content, "--target-column", "answer", "--positive-class", "no").schema["classes"] == [
        "yes",
        "no",
    ]


def test_integer_labels_stay_integers_if_some_are_missing(run_preprocess):
    rows = [f"{row}.5,{'' if row == 7 else f'{row % 2}.0'}" for row in range(60)]
    schema = run_preprocess("\n".join(["x,target", *rows])).schema
    assert json.dumps(schema["classes"]) == "[0, 1]"


def test_a_regression_has_no_classes_and_keeps_its_target(make_project):
    data = make_project("diabetes").data
    assert data.schema["classes"] is None
    assert min(float(row["target"]) for row in data.rows("train")) >= 25


def test_declared_categories_keep_their_text(run_preprocess):
    rows = [f"0{row % 3},{row},{row % 2}" for row in range(60)]
    data = run_preprocess("\n".join(["zip,x,target", *rows]), "--categorical-columns", "zip")
    assert data.schema["features"][0] == {"name": "zip", "type": "category", "categories": ["00", "01", "02"]}


def test_one_seed_gives_the_same_files(run_preprocess, make_project):
    content = "\n".join(["x,target", *(f"{row},{row % 2}" for row in range(60))])
    first, second, other = run_preprocess(content), run_preprocess(content), run_preprocess(content, "--seed", "7")
    for split in ("train", "validation", "test", "baseline"):
        assert first.rows(split) == second.rows(split)
    assert first.rows("train") != other.rows("train")
