"""What of a deployed endpoint its monitoring needs to know: captures, labels, and the baselines of its model."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from deployment import endpoints
from monitoring import s3_objects
from project import registry
from project.errors import UserError
from project.settings import Settings
from project.target import Target

Analysis = Literal["data-quality", "model-quality"]

# DriftCheckBaselines' names
_BASELINES: dict[str, str] = {"data-quality": "ModelDataQuality", "model-quality": "ModelQuality"}


@dataclass(frozen=True)
class Baseline:
    """S3 URIs of what an analysis compares with."""

    statistics: str
    constraints: str


@dataclass(frozen=True)
class MonitoredEndpoint:
    """An endpoint with what it is compared with.

    package: the ARN of the model package that it serves; with several variants the first one's.
    capture_uri, ground_truth_uri: below which captures and labels of this endpoint lie, by the hour.
    baselines: by analysis. positive_label: what the positive class of two is called; empty for other problems.
    batch: whether batch transform jobs are watched instead; `endpoint` then is the name that goes with them.
    """

    endpoint: str
    package: str
    capture_uri: str
    ground_truth_uri: str
    baselines: Mapping[str, Baseline]
    positive_label: str
    batch: bool = False


def find_monitored_endpoint(settings: Settings, target: Target, name: str) -> MonitoredEndpoint:
    """What is there to be watched of the project's endpoint.

    Raises:
        UserError: there is no such endpoint, it captures nothing, or its model has no baselines.
    """
    capture_uri, package = _served(settings, target, name)
    if not package:
        raise UserError(
            f"the model package behind endpoint {name!r} is not known, and so are its baselines; deploy one with "
            "`python -m deployment deploy`"
        )
    return _watched(settings, target, name, package, capture_uri, batch=False)


def find_monitored_batches(settings: Settings, target: Target, name: str) -> MonitoredEndpoint:
    """The same for the project's batch transform jobs, which predict with the latest approved model package.

    Raises:
        UserError: no package is approved, or it has no baselines.
    """
    package = registry.latest_approved(settings.model_package_group, target)
    if package is None:
        raise UserError(
            f"no version of {settings.model_package_group!r} is approved; see `python -m pipelines approve`"
        )
    return _watched(settings, target, name, package.arn, batch_capture_uri(settings, target), batch=True)


def endpoint_capture_uri(settings: Settings, target: Target, name: str) -> str:
    """Below which the captures of the project's endpoint lie.

    Raises:
        UserError: there is no such endpoint, or it captures nothing.
    """
    return _served(settings, target, name)[0]


def batch_capture_uri(settings: Settings, target: Target) -> str:
    """Below which the captures of all batch transform jobs of the project lie."""
    return f"{settings.uri(target.bucket)}/batch-captures"


def ground_truth_uri(settings: Settings, target: Target, endpoint: str) -> str:
    return f"{settings.uri(target.bucket)}/ground-truth/{endpoint}"


def _served(settings: Settings, target: Target, name: str) -> tuple[str, str]:
    """Where an endpoint's captures lie, and the ARN of the package that it serves, empty where that is not known."""
    endpoint = endpoints.project_endpoint(settings, target, name)
    if not endpoint.config:
        raise UserError(f"endpoint {name!r} is {endpoint.status}; wait until it is in service")
    variants = endpoints.served_variants(target, endpoint)
    capture = endpoints.capture_settings(endpoint, variants)
    if capture is None:
        raise UserError(
            f"endpoint {name!r} captures nothing, so there is nothing to watch; set deployment.capture_percentage "
            "and deploy again"
        )
    return f"{capture.uri.rstrip('/')}/{name}", variants[0].package


def _watched(
    settings: Settings, target: Target, name: str, package: str, capture_uri: str, *, batch: bool
) -> MonitoredEndpoint:
    description = target.sagemaker.describe_model_package(ModelPackageName=package)
    analyses = settings.monitoring.analyses
    labelled = settings.problem_type == "BinaryClassification" and "model-quality" in analyses
    return MonitoredEndpoint(
        endpoint=name,
        package=package,
        capture_uri=capture_uri,
        ground_truth_uri=ground_truth_uri(settings, target, name),
        baselines={analysis: _baseline(target, description, analysis) for analysis in analyses},
        positive_label=_positive_label(target, description) if labelled else "",
        batch=batch,
    )


def _baseline(target: Target, package: Mapping[str, Any], analysis: str) -> Baseline:
    files = package.get("DriftCheckBaselines", {}).get(_BASELINES[analysis], {})
    try:
        baseline = Baseline(*(files[part]["S3Uri"] for part in ("Statistics", "Constraints")))
    except KeyError:
        raise UserError(
            f"{package['ModelPackageArn']} has no {analysis} baseline among its DriftCheckBaselines; register a "
            "version with `python -m pipelines run`, or take the analysis out of monitoring.analyses"
        ) from None
    for uri in (baseline.statistics, baseline.constraints):
        if not any(item["Key"] == uri.split("/", 3)[3] for item in s3_objects.find(target, uri)):
            raise UserError(
                f"the {analysis} baseline {uri} is not there; the execution that registered "
                f"{package['ModelPackageArn']} writes it in its last steps: see `python -m pipelines status`"
            )
    return baseline


def _positive_label(target: Target, package: Mapping[str, Any]) -> str:
    """The second of the classes in the model archive's schema.json."""
    uri = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    archive = s3_objects.read(target, uri)
    if archive is None:
        raise UserError(f"the model archive {uri} is not there, so its classes are not known; register another version")
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            schema = tar.extractfile("schema.json")
            return str(json.load(schema)["classes"][1]) if schema else ""
    except (tarfile.TarError, KeyError, ValueError, IndexError, TypeError):
        raise UserError(f"{uri} holds no schema.json with two classes; register a version with this project") from None
