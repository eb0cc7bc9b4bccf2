"""Feature importance from models and JSON."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from analyzer import QualityError
from analyzer.drift.importance import read_importance

Write = Callable[[str, str | bytes], Path]


@pytest.fixture(scope="module")
def booster() -> lgb.Booster:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(500, 3))
    target = 3 * features[:, 1] + features[:, 0] + generator.normal(size=500) / 9
    data = lgb.Dataset(features, target, feature_name=["age", "plan_price", "idle"])
    return lgb.train({"objective": "regression", "verbose": -1, "num_threads": 1}, data, 20)


def test_a_models_importance_is_lightgbms_gain(booster: lgb.Booster, tmp_path: Path) -> None:
    booster.save_model(tmp_path / "model.txt")
    gains = booster.feature_importance("gain")
    expected = dict(zip(booster.feature_name(), gains / gains.sum(), strict=True))
    assert read_importance(tmp_path / "model.txt") == pytest.approx(expected, rel=1e-4)


def test_an_archive_has_the_features_own_names(booster: lgb.Booster, tmp_path: Path) -> None:
    schema = {"features": [{"name": "age"}, {"name": "plan price"}, {"name": "idle"}]}
    write_archive(tmp_path / "model.tar.gz", booster, schema)
    found = read_importance(tmp_path / "model.tar.gz")
    assert max(found, key=lambda name: found[name]) == "plan price"
    assert sum(found.values()) == pytest.approx(1)


def test_a_feature_has_the_importance_of_the_columns_derived_from_it(booster: lgb.Booster, tmp_path: Path) -> None:
    columns = [{"name": "at_hour", "source": "at"}, {"name": "at_day", "source": "at"}, {"name": "ratio"}]
    schema = {"features": [{"name": "at"}, {"name": "unused"}], "columns": columns}
    write_archive(tmp_path / "model.tar.gz", booster, schema)
    gains = booster.feature_importance("gain")
    expected = {"at": gains[0] + gains[1], "ratio": gains[2]}
    shares = {name: gain / gains.sum() for name, gain in expected.items()}
    assert read_importance(tmp_path / "model.tar.gz") == pytest.approx(shares, rel=1e-4)


def write_archive(path: Path, booster: lgb.Booster, schema: dict[str, Any]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("./model.txt", booster.model_to_string()), ("./schema.json", json.dumps(schema))):
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))


def test_numbers_by_feature_become_shares(write: Write) -> None:
    assert read_importance(write("gain.json", '{"a": 3, "b": 1}')) == {"a": 0.75, "b": 0.25}
    assert read_importance(write("none.json", '{"a": 0}')) == {"a": 0.0}


@pytest.mark.parametrize(
    "content", ["", "x", "{", '{"a": "b"}', '{"a": -1}', '{"a": NaN}', "tree\nsplit_feature=0\n", b"\x1f\x8b\x00"]
)
def test_any_other_file_is_rejected_by_name(content: str | bytes, write: Write) -> None:
    with pytest.raises(QualityError, match=r"model\.bin has no feature importance .*; use model\.txt"):
        read_importance(write("model.bin", content))
    with pytest.raises(QualityError, match="absent has no feature importance"):
        read_importance(Path("absent"))
