"""Models with a features.py: the endpoint makes the columns that Preprocess made, and says what fails where."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow.parquet as pq
import pytest
import train
from request_errors import InputError

from inference import input_fn, model_fn, predict_fn
from tests.container_scripts import REPOSITORY, Preprocessed

FEATURES = """
import numpy as np
import pandas as pd

RATES = {"gold": 0.5, "true": 0.2}


def add_features(rows: pd.DataFrame) -> pd.DataFrame:
    rows["ratio"] = rows["spend"] / (1 + rows["visits"].clip(lower=0))
    rows["rich"] = rows["spend"] > 1
    rows["rate"] = rows["plan"].map(RATES)
    rows["plan"] = rows["plan"].str.upper()
    rows["band"] = pd.Categorical(np.where(rows["visits"] > 3, "many", "few"))
    rows["initial"] = rows["name"].str[0].astype(object)
    rows["due"] = rows["at"] + pd.Timedelta(days=30)
    if (rows["visits"] == 999).any():
        rows["ratio"] = rows["name"].map(int)
    return rows.drop(columns=["name", "at"])
"""
SETTINGS = {
    "datetime_columns": {"at": {"parts": ["hour"], "cyclic": []}, "due": {"parts": ["month"], "cyclic": ["weekday"]}},
    "encodings": {"initial": "target"},
}


def customers() -> list[dict[str, Any]]:
    generator = np.random.default_rng(1)
    rows = []
    for row in range(500):
        spend = float(generator.normal())
        rows.append(
            {
                "name": "" if row % 17 == 0 else f"{'ABCDEFGHIJKLM'[row % 13]}{row}",
                "at": "" if row % 11 == 0 else str(np.datetime64(1_700_000_000 + 40_000 * row, "s")),
                "plan": ["gold", "True", "3.0", " basic", ""][row % 5],
                "spend": "" if row % 7 == 0 else spend,
                "visits": row % 9,
                "target": int(generator.random() < (0.8 if spend > 0 else 0.2)),
            }
        )
    return rows


NAMES = [*customers()[0]][:-1]


def as_csv(rows: list[dict[str, Any]], names: list[str]) -> str:
    return "\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]) + "\n"


@pytest.fixture
def make_model(run_preprocess: Callable[..., Preprocessed], tmp_path: Path) -> Callable[..., tuple[Preprocessed, Path]]:
    """Preprocess and train with a features.py; returns the data and the folder of the model."""

    def make(source: str = FEATURES, **settings: Any) -> tuple[Preprocessed, Path]:
        (tmp_path / "data.json").write_text(json.dumps(settings or SETTINGS))
        (tmp_path / "features.py").write_text(source)
        arguments = ["--data-settings", str(tmp_path / "data.json"), "--features", str(tmp_path / "features.py")]
        data = run_preprocess(as_csv(customers(), [*NAMES, "target"]), *arguments)
        assert data.error is None
        code = tmp_path / "code"
        shutil.copytree(REPOSITORY / "inference", code, ignore=shutil.ignore_patterns("__pycache__"))
        (code / "user_features.py").write_text(source)
        train.main([*data.training_arguments(tmp_path), "--inference_code", str(code), "--num_boost_round", "30"])
        return data, tmp_path / "model"

    return make


def predict(model: Any, content: Any) -> Any:
    return predict_fn(input_fn(json.dumps(content), "application/json"), model).scores


def test_records_get_the_predictions_of_the_encoded_rows(make_model: Callable[..., Any]) -> None:
    data, folder = make_model()
    model = model_fn(str(folder))
    records = pq.read_table(data.output / "records" / "records.parquet").to_pylist()
    encoded = pq.read_table(data.output / "test" / "test.parquet").drop_columns("target")
    expected = lgb.Booster(model_file=folder / "model.txt").predict(encoded)
    assert np.ptp(expected) > 0.2
    assert [*predict(model, records)] == pytest.approx(expected, abs=1e-12)
    assert [predict(model, record)[0] for record in records] == pytest.approx(expected, abs=1e-12)
    texts = [{name: "" if value is None else value for name, value in record.items()} for record in records]
    many = as_csv(texts * 5, NAMES)
    assert [*predict_fn(input_fn(many, "text/csv"), model).scores] == pytest.approx([*expected] * 5, abs=1e-12)


def test_the_schema_has_what_clients_send_and_what_the_model_gets(make_model: Callable[..., Any]) -> None:
    data, _ = make_model()
    assert data.schema["code"] == "features.py"
    types = {feature["name"]: feature["type"] for feature in data.schema["features"]}
    assert types == {"name": "text", "at": "datetime", "plan": "text", "spend": "number", "visits": "number"}
    columns = [(c["name"], c["type"], c.get("source")) for c in data.schema["columns"]]
    assert columns == [
        ("plan", "category", "plan"),
        ("spend", "number", "spend"),
        ("visits", "number", "visits"),
        ("ratio", "number", None),
        ("rich", "number", None),
        ("rate", "number", None),
        ("band", "category", None),
        ("initial", "number", "initial"),
        ("due_month", "number", "due"),
        ("due_weekday_sin", "number", "due"),
        ("due_weekday_cos", "number", "due"),
    ]
    assert data.schema["columns"][0]["categories"] == ["3", "BASIC", "GOLD", "true"]
    assert [*data.rows("baseline")[0]] == NAMES


def test_a_record_that_the_function_fails_for_is_named_with_the_users_line(make_model: Callable[..., Any]) -> None:
    _, folder = make_model()
    model = model_fn(str(folder))
    records = [{"visits": 1}, {"visits": 999, "name": "Ada"}]
    with pytest.raises(InputError, match=r"^row 2: features.py, line 17, in add_features: ValueError: ") as error:
        predict(model, records)
    assert error.value.status_code == 400
    (score,) = predict(model, {})
    assert math.isfinite(score)


def test_an_infinite_result_is_refused(make_model: Callable[..., Any]) -> None:
    source = "def add_features(rows):\n    rows['inverse'] = 1 / rows['visits'].where(rows['visits'] != 0)\n" + (
        "    rows['inverse'] += 1 / (rows['spend'] - 77)\n    return rows[['inverse', 'spend']]\n"
    )
    _, folder = make_model(source, missing_values=[])
    with pytest.raises(InputError, match=r"row 2: column 'inverse' of features.py is infinite"):
        predict(model_fn(str(folder)), [{"spend": 1, "visits": 2}, {"spend": 77, "visits": 2}])


def test_only_models_with_a_features_py_import_pandas(make_model: Callable[..., Any], tmp_path: Path) -> None:
    _, folder = make_model()
    schema = json.loads((folder / "schema.json").read_text())
    program = "import sys, inference; inference.model_fn(sys.argv[1]); print('pandas' in sys.modules)"

    def imports_pandas() -> str:
        command = [sys.executable, "-c", program, str(folder)]
        environment = {"PYTHONPATH": f"{folder / 'code'}:{REPOSITORY}"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert imports_pandas() == "True"
    del schema["code"]
    schema["features"] = [{"name": column["name"], "type": "number"} for column in schema["columns"]]
    del schema["columns"]
    (folder / "schema.json").write_text(json.dumps(schema))
    assert imports_pandas() == "False"
