"""find_model_package.py, which looks for the version that has the model already."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

# the tests' environment of the container image has no boto3
pytest.importorskip("boto3")

import botocore.session
import find_model_package
from botocore.stub import Stubber

GROUP = "churn"
MODEL = "s3://bucket/churn/executions/one/train/job/output/model.tar.gz"
TRAINED = datetime(2026, 1, 1, tzinfo=UTC)


class Registry:
    """Stubbed clients, with the versions of a group and their artifacts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        session = botocore.session.get_session()
        session.set_credentials("id", "secret")
        self._clients = {name: session.create_client(name, "us-east-1") for name in ("sagemaker", "s3")}
        monkeypatch.setattr(find_model_package.boto3, "client", lambda name, **_: self._clients[name])
        self.sagemaker, self.s3 = (Stubber(client) for client in self._clients.values())
        self.s3.add_response("head_object", {"LastModified": TRAINED})
        self.sagemaker.activate()
        self.s3.activate()

    def lists(
        self, artifacts: dict[int, str], described: list[int], config_files: dict[int, str] | None = None
    ) -> None:
        query = {"ModelPackageGroupName": GROUP, "CreationTimeAfter": TRAINED}
        query |= {"SortBy": "CreationTime", "SortOrder": "Descending"}
        summaries = [
            {
                "ModelPackageArn": arn(version),
                "ModelPackageVersion": version,
                "CreationTime": TRAINED,
                "ModelPackageStatus": "Completed",
            }
            for version in artifacts
        ]
        self.sagemaker.add_response("list_model_packages", {"ModelPackageSummaryList": summaries}, query)
        for version in described:
            container = {"Image": "i", "ModelDataUrl": artifacts[version]}
            response: dict[str, Any] = {
                "ModelPackageName": GROUP,
                "ModelPackageArn": arn(version),
                "CreationTime": TRAINED,
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": []},
                "InferenceSpecification": {"Containers": [container]},
                "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "json", "S3Uri": baseline(version)}}},
            }
            if uri := (config_files or {}).get(version):
                response["DriftCheckBaselines"] = {"Bias": {"ConfigFile": {"S3Uri": uri}}}
            self.sagemaker.add_response("describe_model_package", response, {"ModelPackageName": arn(version)})


def baseline(version: int) -> str:
    return f"s3://bucket/churn/executions/{version}/statistics.json"


def arn(version: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{GROUP}/{version}"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    return Registry(monkeypatch)


def found(folder: Path, *more: str) -> dict[str, Any]:
    find_model_package.main(
        [f"--model-package-group={GROUP}", f"--model-uri={MODEL}", f"--output-dir={folder}", *more],
    )
    content: dict[str, Any] = json.loads((folder / "package" / "model_package.json").read_text())
    return content


def test_the_newest_version_with_the_artifact_is_found(registry: Registry, tmp_path: Path) -> None:
    registry.lists({4: "s3://bucket/other", 3: MODEL, 2: MODEL}, described=[4, 3])
    registry.s3.add_response("head_object", {}, {"Bucket": "bucket", "Key": baseline(3).removeprefix("s3://bucket/")})
    assert found(tmp_path) == {"version": 3, "arn": arn(3)}


def test_a_version_without_its_baselines_does_not_count(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.lists({3: MODEL, 2: MODEL}, described=[3, 2])
    registry.s3.add_client_error("head_object", "404", "Not Found")
    registry.s3.add_response("head_object", {}, {"Bucket": "bucket", "Key": baseline(2).removeprefix("s3://bucket/")})
    assert found(tmp_path) == {"version": 2, "arn": arn(2)}
    assert f"{arn(3)} is incomplete: cannot read {baseline(3)}" in capsys.readouterr().out


def test_a_version_without_the_bias_baselines_of_the_settings_does_not_count(
    registry: Registry, tmp_path: Path
) -> None:
    """Facets were added, or changed, since the model was registered."""
    files = {version: f"s3://bucket/configs-{version}/analysis_config.json" for version in (3, 2)}
    registry.lists({4: MODEL, 3: MODEL, 2: MODEL}, [4, 3, 2], files)
    for uri in (baseline(2), files[2]):
        registry.s3.add_response("head_object", {}, {"Bucket": "bucket", "Key": uri.removeprefix("s3://bucket/")})
    assert found(tmp_path, "--config-files", files[2]) == {"version": 2, "arn": arn(2)}


def test_a_model_of_this_execution_is_not_found(registry: Registry, tmp_path: Path) -> None:
    registry.lists({}, described=[])
    assert found(tmp_path) == {"version": 0, "arn": ""}


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_a_registry_that_cannot_be_read_counts_as_one_without_the_model(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    registry.sagemaker.add_client_error("list_model_packages", code, "the reason")
    assert found(tmp_path) == {"version": 0, "arn": ""}
    assert "the reason" in capsys.readouterr().out
