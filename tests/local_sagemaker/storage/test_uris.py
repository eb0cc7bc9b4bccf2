"""URIs of S3, as users and AWS's documentation write them."""

from __future__ import annotations

import pytest

from local_sagemaker.storage.transfers import ClientFault, split_uri


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("s3://my.bucket/models/model.tar.gz", "models/model.tar.gz"),
        ("https://my.bucket.s3.amazonaws.com/models/model.tar.gz", "models/model.tar.gz"),
        ("https://my.bucket.s3.eu-west-1.amazonaws.com/models/a%20model.tar.gz", "models/a model.tar.gz"),
        ("https://my.bucket.s3-eu-west-1.amazonaws.com/models/model.tar.gz", "models/model.tar.gz"),
        ("https://s3.amazonaws.com/my.bucket/models/model.tar.gz", "models/model.tar.gz"),
        ("https://s3.eu-west-1.amazonaws.com/my.bucket/models/model.tar.gz", "models/model.tar.gz"),
        ("https://s3-eu-west-1.amazonaws.com/my.bucket/models/model.tar.gz", "models/model.tar.gz"),
        ("https://s3.cn-north-1.amazonaws.com.cn/my.bucket/models/model.tar.gz", "models/model.tar.gz"),
        ("s3://my.bucket", ""),
    ],
)
def test_every_form_of_an_s3_uri_names_the_same_object(uri: str, key: str) -> None:
    assert split_uri(uri) == ("my.bucket", key)


@pytest.mark.parametrize("uri", ["my.bucket/key", "https://example.com/my.bucket/key", "s3://", "s3:///key"])
def test_other_uris_are_rejected(uri: str) -> None:
    with pytest.raises(ClientFault, match="is not an S3 URI"):
        split_uri(uri)
