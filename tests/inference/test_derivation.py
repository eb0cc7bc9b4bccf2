"""Models with derived columns: the endpoint derives what Preprocess derived."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow.parquet as pq
import pytest
from request_errors import InputError

from inference import input_fn, model_fn, predict_fn
from tests.container_scripts import Preprocessed

SETTINGS = {
    "datetime_columns": {
        "at": {"parts": ["month", "weekday", "hour", "days_since_epoch"], "cyclic": ["hour", "day_of_year"]},
        "sent": {"parts": ["day", "minute"], "cyclic": []},
    },
    "encodings": {"shop": "target", "zip": "frequency"},
}


def orders() -> list[dict[str, Any]]:
    generator = np.random.default_rng(1)
    rows = []
    for row in range(500):
        shop, at = int(generator.integers(40)), 1_700_000_000 + 40_000 * row
        missing = row % 11 == 0
        moment = np.datetime64(at, "s")
        points = f"{moment.item():%d.%m.%Y %H:%M:%S}"
        rows.append(
            {
                "at": "" if missing else (str(moment), f"{moment}Z", points)[row % 3],
                "sent": at * 1000 + row,
                "shop": "NA" if row % 13 == 0 else f"{shop:03}",
                "zip": f"Z{generator.integers(90)}",
                "plan": ["gold", "true", "3.0"][row % 3],
                "spend": "" if row % 7 == 0 else float(generator.normal()),
                "target": ["no", "yes"][int(generator.random() < (0.8 if shop % 2 == 0 else 0.2))],
            }
        )
    return rows


def as_csv(rows: list[dict[str, Any]], names: list[str]) -> str:
    return "\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]) + "\n"


@pytest.fixture
def preprocessed(run_preprocess: Callable[..., Preprocessed], tmp_path: Path) -> Preprocessed:
    (tmp_path / "data.json").write_text(json.dumps(SETTINGS))
    data = run_preprocess(as_csv(orders(), [*orders()[0]]), "--data-settings", str(tmp_path / "data.json"))
    assert data.error is None
    return data


def test_records_get_the_predictions_of_the_encoded_rows(
    preprocessed: Preprocessed, run_train: Callable[..., tuple[Path, str]]
) -> None:
    folder, _ = run_train(preprocessed, "--num_boost_round", "30")
    model = model_fn(str(folder / "model"))
    booster = lgb.Booster(model_file=folder / "model" / "model.txt")
    names = [feature["name"] for feature in preprocessed.schema["features"]]
    expected = sorted(
        np.concatenate(
            [
                booster.predict(pq.read_table(preprocessed.output / split / f"{split}.parquet").drop_columns("target"))
                for split in ("validation", "test")
            ]
        )
    )
    every = orders()
    body = as_csv(every, names)
    from_csv = predict_fn(input_fn(body, "text/csv"), model).scores
    singly = [predict_fn(input_fn(json.dumps({n: row[n] for n in names}), "application/json"), model) for row in every]
    assert [score for prediction in singly for score in prediction.scores] == pytest.approx([*from_csv], abs=1e-12)
    without_header = predict_fn(input_fn(body.partition("\n")[2], "text/csv"), model).scores
    assert [*without_header] == [*from_csv]
    # the training rows are encoded by fold, so they are left out; every other row must be found
    remaining = sorted(from_csv)
    for score in expected:
        place = np.searchsorted(remaining, score - 1e-12)
        assert abs(remaining.pop(place) - score) < 1e-12


def test_a_value_that_is_not_a_date_is_refused_by_row_and_name(
    preprocessed: Preprocessed, run_train: Callable[..., tuple[Path, str]]
) -> None:
    folder, _ = run_train(preprocessed, "--num_boost_round", "3")
    model = model_fn(str(folder / "model"))
    body = json.dumps([{"at": "2024-01-01"}, {"at": "tomorrow"}])
    with pytest.raises(InputError, match="row 2: feature 'at' is 'tomorrow', not a date or time; send ISO 8601"):
        predict_fn(input_fn(body, "application/json"), model)
    with pytest.raises(InputError, match=r"row 1: feature 'shop' is \[1\], not a text"):
        predict_fn(input_fn('{"shop": [1]}', "application/json"), model)
    with pytest.raises(InputError, match="the model has no feature 'at_hour'"):
        predict_fn(input_fn('{"at_hour": 3}', "application/json"), model)
    (score,) = predict_fn(input_fn("{}", "application/json"), model).scores
    assert math.isfinite(score)
