"""Scripts that call AWS find their region where SageMaker puts it."""

from __future__ import annotations

import importlib

import pytest

boto3 = pytest.importorskip("boto3")

GROUP = ("--model-package-group", "churn")


class Called(Exception):
    """The script has made its first client."""


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("find_champion", GROUP),
        ("find_model_package", (*GROUP, "--model-uri", "s3://bucket/model.tar.gz")),
        ("quality_check", (*GROUP, "--skip-check", "false", "--fail-on-violation", "false")),
    ],
)
def test_a_client_is_made_for_the_region_of_the_job(monkeypatch, tmp_path, script, arguments):
    def client(name, region_name=None, **_):
        raise Called(region_name)

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("analysis_type", "DATA_QUALITY")
    monkeypatch.setattr(boto3, "client", client)
    with pytest.raises(Called, match="eu-west-1"):
        importlib.import_module(script).main(arguments)
