"""`pipelines predict`: how it reads a CSV file, and what it says of models and files that do not fit."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from pipelines.csv_texts import read_csv_texts
from pipelines.predictions import _as_parquet, predict_file
from project.errors import UserError
from project.registry import ModelPackage
from project.settings import Settings
from project.target import Target

PACKAGE = cast(ModelPackage, SimpleNamespace(version=3, arn="arn"))


def target_with(download_file: Callable[[str, str, str], None]) -> Target:
    containers = [{"ModelDataUrl": "s3://bucket/demo/model.tar.gz"}]
    description: dict[str, Any] = {"InferenceSpecification": {"Containers": containers}}
    sagemaker = SimpleNamespace(describe_model_package=lambda ModelPackageName: description)
    return cast(Target, SimpleNamespace(sagemaker=sagemaker, s3=SimpleNamespace(download_file=download_file)))


def test_only_plain_columns_get_decimal_points(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    settings = make_settings(
        data={
            "target_column": "y",
            "csv": {"separator": ";", "decimal": ","},
            "columns": {"amount": {"type": "currency"}},
        }
    )
    source = tmp_path / "data.csv"
    source.write_text("id;amount;weight;size\nK1,5;1.334,60 €;87,5;3,5\n1,5;12,50;-0,5;XL 1,5\n", encoding="utf-8")
    rows = pq.read_table(_as_parquet(settings, source, tmp_path / "rows.parquet", {"weight", "size", "other"}))
    assert rows.to_pydict() == {
        "id": ["K1,5", "1,5"],
        "amount": ["1.334,60 €", "12,50"],
        "weight": ["87.5", "-0.5"],
        "size": ["3.5", "XL 1,5"],
    }


def test_rows_with_more_fields_than_the_header_are_refused(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    source = tmp_path / "data.csv"
    source.write_text("a,b\n1,2,\n3,4,\n", encoding="utf-8")
    with pytest.raises(UserError, match="its rows have more fields than its header"):
        _as_parquet(make_settings(), source, tmp_path / "rows.parquet", set())


def test_blanks_around_names_do_not_matter(tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("a , b\n1, 2\n", encoding="utf-8")
    (chunk,) = read_csv_texts(source, {})
    assert chunk.to_dict("list") == {"a": ["1"], "b": [" 2"]}


def test_a_model_that_was_removed_from_s3_is_named(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    def download(bucket: str, key: str, path: str) -> None:
        raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")

    with pytest.raises(
        UserError, match=r"the model of version 3 is no longer at s3://bucket/demo/model\.tar\.gz; give"
    ):
        predict_file(make_settings(), target_with(download), PACKAGE, tmp_path / "new.csv", tmp_path / "out.csv")


def test_a_file_without_features_of_the_model_is_named_as_the_user_knows_it(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    def download(bucket: str, key: str, path: str) -> None:
        schema = tmp_path / "schema.json"
        schema.write_text(json.dumps({"features": [{"name": name, "type": "number"} for name in ("age", "plan")]}))
        with tarfile.open(path, "w:gz") as archive:
            archive.add(schema, "schema.json")
            archive.add(__file__, "code/score_file.py")

    source = tmp_path / "multi.csv"
    source.write_text("x,y\n1,2\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        predict_file(make_settings(), target_with(download), PACKAGE, source, tmp_path / "out.csv")
    assert str(caught.value).startswith(f"{source} has none of the features of version 3 (age, plan); give a file with")
