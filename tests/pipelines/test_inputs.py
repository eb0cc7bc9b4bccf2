"""Input data: keys named by content, uploaded once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pipelines.inputs import check_uri_characters, input_uri, upload_input
from project.errors import UserError

PREFIX = "s3://bucket/demo/input"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        yield client


def keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket="bucket").get("Contents", [])]


def test_a_file_goes_to_a_key_named_by_its_content(s3: Any, tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n1,2\n")
    first = upload_input(str(data), PREFIX, s3, {})
    data.write_text("a,b\n1,3\n")
    second = upload_input(str(data), PREFIX, s3, {})
    assert first != second
    assert sorted(keys(s3)) == sorted(uri.removeprefix("s3://bucket/") for uri in (first, second))
    assert s3.get_object(Bucket="bucket", Key=first.removeprefix("s3://bucket/"))["Body"].read() == b"a,b\n1,2\n"


def test_the_key_of_a_file_has_the_characters_of_metadata(s3: Any, tmp_path: Path) -> None:
    data = tmp_path / "Größe, all (1).csv"
    data.write_text("a\n")
    uri = upload_input(str(data), PREFIX, s3, {})
    check_uri_characters(uri)
    assert (uri.rpartition("/")[2], keys(s3)) == ("Größe_ all _1_.csv", [uri.removeprefix("s3://bucket/")])


def test_a_uri_that_the_metadata_of_a_model_package_cannot_have_is_refused() -> None:
    with pytest.raises(
        UserError, match=re.escape("s3://bucket/data (1).csv has the character '(', which the metadata")
    ):
        check_uri_characters("s3://bucket/data (1).csv")


def test_a_folder_is_uploaded_as_a_prefix_without_hidden_files(s3: Any, tmp_path: Path) -> None:
    (tmp_path / "data" / "part").mkdir(parents=True)
    for name in ("a.csv", "part/b.csv", ".DS_Store"):
        (tmp_path / "data" / name).write_text(name)
    uri = upload_input(str(tmp_path / "data"), PREFIX, s3, {})
    prefix = uri.removeprefix("s3://bucket/")
    assert sorted(keys(s3)) == [f"{prefix}/a.csv", f"{prefix}/part/b.csv"]


def test_existing_objects_are_not_uploaded_again(s3: Any, tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("a\n")
    uri = upload_input(str(data), PREFIX, s3, {})
    key = uri.removeprefix("s3://bucket/")
    before = s3.head_object(Bucket="bucket", Key=key)["LastModified"]
    s3.put_object_tagging(Bucket="bucket", Key=key, Tagging={"TagSet": [{"Key": "seen", "Value": "1"}]})
    upload_input(str(data), PREFIX, s3, {})
    assert s3.head_object(Bucket="bucket", Key=key)["LastModified"] == before
    assert s3.get_object_tagging(Bucket="bucket", Key=key)["TagSet"]


def test_an_s3_uri_is_unchanged() -> None:
    assert input_uri("s3://elsewhere/rows/", PREFIX) == "s3://elsewhere/rows/"


def test_a_missing_path_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.csv does not exist; give a file, a folder or an s3:// URI"):
        input_uri(str(tmp_path / "nowhere.csv"), PREFIX)
    with pytest.raises(UserError, match="contains no files"):
        input_uri(str(tmp_path), PREFIX)
