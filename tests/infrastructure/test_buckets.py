"""Buckets are emptied of objects and of all their versions."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from infrastructure.buckets import delete_bucket, empty_bucket


@pytest.mark.parametrize("versioned", [False, True])
def test_a_bucket_is_emptied_with_and_without_versioning(versioned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="bucket")
        if versioned:
            s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
        for key in ("a", "a", "b"):
            s3.put_object(Bucket="bucket", Key=key, Body=b"")
        s3.delete_object(Bucket="bucket", Key="b")
        reports: list[int] = []
        empty_bucket(s3, "bucket", reports.append)
        assert reports == [4 if versioned else 1]
        delete_bucket(s3, "bucket")
        assert s3.list_buckets()["Buckets"] == []
