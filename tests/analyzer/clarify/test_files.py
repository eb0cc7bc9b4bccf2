"""Datasets, baselines and predicted labels on S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from analyzer import QualityError
from analyzer.clarify.files import local_path
from tests.analyzer.clarify.conftest import CONFIG, LOANS, RunJob


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="loans")
        yield client


def test_a_dataset_may_be_a_prefix_of_s3(s3: Any, run_job: RunJob, tmp_path: Path) -> None:
    header, *rows = LOANS.splitlines()
    for name, part in (("a.csv", rows[:5]), ("b.csv", rows[5:])):
        s3.put_object(Bucket="loans", Key=f"data/{name}", Body="\n".join([header, *part]).encode())
    s3.put_object(Bucket="loans", Key="data-of-others/c.csv", Body=b"x\n1\n")
    (tmp_path / "nothing").mkdir()
    result = run_job(CONFIG | {"dataset_uri": "s3://loans/data"}, tmp_path / "nothing")
    assert result.analysis == run_job(CONFIG).analysis


def test_an_object_is_downloaded_under_its_name(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="loans", Key="baseline/rows.csv", Body=b"1,2\n")
    folder = local_path("s3://loans/baseline/rows.csv", tmp_path, "baseline")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("rows.csv", "1,2\n")]


def test_a_uri_without_objects_is_named(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(QualityError, match="dataset_uri 's3://loans/none' has no objects; check the URI"):
        local_path("s3://loans/none", tmp_path, "dataset_uri")
    with pytest.raises(QualityError, match=r"dataset_uri 's3://other/x' cannot be downloaded \(.*NoSuchBucket"):
        local_path("s3://other/x", tmp_path, "dataset_uri")
    with pytest.raises(QualityError, match=r"baseline 'rows\.csv' does not exist; use an S3 URI or a path"):
        local_path("rows.csv", tmp_path, "baseline")


def test_an_object_outside_of_the_folder_is_refused(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="loans", Key="data/../../outside.csv", Body=b"1\n")
    with pytest.raises(QualityError, match=r"has the object 'data/\.\./\.\./outside\.csv', which is not a path"):
        local_path("s3://loans/data", tmp_path / "downloads", "dataset_uri")
    assert not [*tmp_path.rglob("outside.csv")]
