"""Settings of derived columns: dates, encodings and the user's features.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.bundles import preprocess_bundle, preprocess_spark_bundle, train_bundle
from project.errors import UserError
from project.settings import Settings, load_settings

DATA: dict[str, Any] = {"input": "s3://bucket/data.csv", "target_column": "y"}


def test_structured_settings_are_a_file_of_preprocess(make_settings: Callable[..., Settings]) -> None:
    plain = make_settings()
    assert "data.json" not in preprocess_bundle(plain).files
    settings = make_settings(data=DATA | {"datetime_columns": ["at"], "encodings": {"zip": "target"}})
    for bundle in (preprocess_bundle, preprocess_spark_bundle):
        content = json.loads(bundle(settings).files["data.json"])
        assert content["encodings"] == {"zip": "target"}
        assert content["datetime_columns"]["at"]["parts"][0] == "year"
        assert bundle(settings).digest != bundle(plain).digest
    assert train_bundle(settings).digest == train_bundle(plain).digest


def test_features_py_is_in_the_bundles_of_preprocess_and_of_the_model(write_settings: Callable[..., Path]) -> None:
    path = write_settings(data=DATA | {"features": "features.py"})
    (path.parent / "features.py").write_bytes(b"def add_features(rows):\r\n    return rows\r\n")
    settings = load_settings(path)
    source = b"def add_features(rows):\n    return rows\n"
    assert preprocess_bundle(settings).files["features.py"] == source
    assert preprocess_spark_bundle(settings).files["features.py"] == source
    assert train_bundle(settings).files["inference/user_features.py"] == source


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"features": "features.py"}, "features.py does not exist; write it, or remove the setting"),
        ({"features": "mine.txt"}, "data.features is 'mine.txt'"),
        ({"datetime_columns": ["y"]}, "column 'y' is in datetime_columns and in target_column; remove it from one"),
        (
            {"datetime_columns": ["a"], "split": {"strategy": "time", "time_column": "a"}},
            "remove it from one, or copy it in the data to have its parts as features",
        ),
        ({"datetime_columns": ["a"], "encodings": {"a": "target"}}, "in datetime_columns and in encodings"),
        ({"encodings": {"a": "target"}, "drop_columns": ["a"]}, "column 'a' is in encodings and in drop_columns"),
        ({"encodings": {"a": "mean"}}, "'frequency' or 'target'"),
        ({"datetime_columns": {"a": {"parts": []}}}, "parts and cyclic are empty"),
        ({"datetime_columns": {"a": {"cyclic": ["year"]}}}, "'month', 'day'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    make_settings: Callable[..., Settings], data: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_settings(data=DATA | data)
