"""What monitoring needs to know about an endpoint: its captures, its labels and the baselines of its model."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from deployment import endpoints
from monitoring import s3_objects
from project import registry
from project.errors import UserError
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target

# the analyses of Clarify's container, which reads an analysis configuration and compares with an earlier analysis.json
CLARIFY = ("bias", "attribution")

# Files of each analysis in DriftCheckBaselines, by the attribute of Baseline.
_QUALITY_FILES = {"constraints": "Constraints", "statistics": "Statistics"}
_BASELINES: dict[str, tuple[str, Mapping[str, str]]] = {
    "data-quality": ("ModelDataQuality", _QUALITY_FILES),
    "model-quality": ("ModelQuality", _QUALITY_FILES),
    "bias": (
        "Bias",
        {"constraints": "PostTrainingConstraints", "pre_training": "PreTrainingConstraints", "config": "ConfigFile"},
    ),
    "attribution": ("Explainability", {"constraints": "Constraints", "config": "ConfigFile"}),
}


@dataclass(frozen=True)
class Baseline:
    """S3 URIs of the files that an analysis compares with.

    Attributes:
        constraints: The constraints; of bias and attribution an analysis.json.
        statistics: The statistics of data quality and model quality.
        pre_training: The analysis.json with the bias metrics of the training data, until both are one file.
        config: The analysis configuration of bias and attribution.
    """

    constraints: str
    statistics: str = ""
    pre_training: str = ""
    config: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.statistics, self.pre_training, self.constraints, self.config)))


@dataclass(frozen=True)
class MonitoredEndpoint:
    """An endpoint with the baselines of its model.

    Attributes:
        endpoint: Name of the endpoint; with `batch` the name under which batch transform jobs are monitored.
        package: ARN of the model package; of several variants that of the first.
        capture_uri: S3 prefix of the captures, with a folder per hour.
        ground_truth_uri: S3 prefix of the labels, with a folder per hour.
        baselines: The baseline of each analysis.
        positive_label: The positive class of a binary classification; empty for other problem types.
        batch: Whether the project's batch transform jobs are monitored instead of an endpoint.
        model_uri: S3 URI of the model archive, if it contains the training schema; empty for other models.
        model_name: Name of the model that the endpoint serves; of several variants that of the first. Empty for batch
            transform jobs.
    """

    endpoint: str
    package: str
    capture_uri: str
    ground_truth_uri: str
    baselines: Mapping[str, Baseline]
    positive_label: str
    batch: bool = False
    model_uri: str = ""
    model_name: str = ""


def find_monitored_endpoint(settings: Settings, target: Target, name: str) -> MonitoredEndpoint:
    """Find the captures and the baselines of the project's endpoint.

    Raises:
        UserError: The endpoint does not exist, it has no data capture, or its model has no baselines.
    """
    capture_uri, variant = _captures_and_variant(settings, target, name)
    if not variant.package:
        raise UserError(
            f"the model package of endpoint {name!r} is unknown, and so are its baselines; deploy a package with "
            "`python -m deployment deploy`"
        )
    monitored = _with_baselines(settings, target, name, variant.package, capture_uri, batch=False)
    return replace(monitored, model_name=variant.model)


def find_monitored_batches(settings: Settings, target: Target, name: str) -> MonitoredEndpoint:
    """Find the captures of batch transform jobs and the baselines of the latest approved package, which they use.

    Attribution is left out: each transform job has a model of its own, which Clarify could not deploy later.

    Raises:
        UserError: No package is approved, or it has no baselines.
    """
    analyses = tuple(analysis for analysis in settings.monitoring.analyses if analysis != "attribution")
    if not analyses:
        raise UserError(
            "monitoring.analyses has only attribution, which batch transform jobs have no lasting model for; add "
            "another analysis"
        )
    settings = settings.model_copy(update={"monitoring": settings.monitoring.model_copy(update={"analyses": analyses})})
    package = registry.latest_approved(settings.model_package_group, target)
    if package is None:
        raise UserError(
            f"no version of {settings.model_package_group!r} is approved; approve one with "
            "`python -m pipelines approve VERSION`"
        )
    return _with_baselines(settings, target, name, package.arn, batch_capture_uri(settings, target), batch=True)


def endpoint_capture_uri(settings: Settings, target: Target, name: str) -> str:
    """Return the S3 prefix of the captures of the project's endpoint.

    Raises:
        UserError: The endpoint does not exist, or it has no data capture.
    """
    return _captures_and_variant(settings, target, name)[0]


def batch_capture_uri(settings: Settings, target: Target) -> str:
    """Return the S3 prefix of the captures of all batch transform jobs of the project."""
    return f"{settings.uri(target.bucket)}/batch-captures"


def ground_truth_uri(settings: Settings, target: Target, endpoint: str) -> str:
    return f"{settings.uri(target.bucket)}/ground-truth/{endpoint}"


def _captures_and_variant(settings: Settings, target: Target, name: str) -> tuple[str, endpoints.ServedVariant]:
    """Return the S3 prefix of an endpoint's captures and its first variant."""
    endpoint = endpoints.project_endpoint(settings, target, name)
    if not endpoint.config:
        raise UserError(f"endpoint {name!r} is {endpoint.status}; wait until it is in service")
    variants = endpoints.served_variants(target, endpoint)
    capture = endpoints.capture_settings(endpoint, variants)
    if capture is None:
        raise UserError(
            f"endpoint {name!r} has no data capture, which monitoring needs; set deployment.capture_percentage and "
            "deploy again"
        )
    return f"{capture.uri.rstrip('/')}/{name}", variants[0]


def _with_baselines(
    settings: Settings, target: Target, name: str, package: str, capture_uri: str, *, batch: bool
) -> MonitoredEndpoint:
    description = target.sagemaker.describe_model_package(ModelPackageName=package)
    analyses = settings.monitoring.analyses
    needs_label = settings.problem_type == "BinaryClassification" and "model-quality" in analyses
    model_uri = description["InferenceSpecification"]["Containers"][0].get("ModelDataUrl", "")
    archive = s3_objects.read(target, model_uri) if model_uri else None
    has_schema = archive is not None and "features" in _schema(archive)
    if "attribution" in analyses and not has_schema:
        raise UserError(
            f"{package} has no model archive with a schema.json, which the SHAP values of its predictions are computed "
            "with; register a version with `python -m pipelines run`, or remove attribution from monitoring.analyses"
        )
    return MonitoredEndpoint(
        endpoint=name,
        package=package,
        capture_uri=capture_uri,
        ground_truth_uri=ground_truth_uri(settings, target, name),
        baselines={analysis: _baseline(target, description, analysis) for analysis in analyses},
        model_uri=model_uri if has_schema else "",
        positive_label=_positive_label(archive, model_uri) if needs_label else "",
        batch=batch,
    )


def _baseline(target: Target, package: Mapping[str, Any], analysis: str) -> Baseline:
    name, parts = _BASELINES[analysis]
    files = package.get("DriftCheckBaselines", {}).get(name, {})
    try:
        baseline = Baseline(**{attribute: files[part]["S3Uri"] for attribute, part in parts.items()})
    except KeyError:
        raise UserError(
            f"{package['ModelPackageArn']} has no {analysis} baseline in its DriftCheckBaselines; register a version "
            "with `python -m pipelines run`, or remove the analysis from monitoring.analyses"
        ) from None
    for uri in baseline.files:
        if not any(item["Key"] == split_s3_uri(uri)[1] for item in s3_objects.list_objects(target, uri)):
            raise UserError(
                f"the {analysis} baseline {uri} does not exist; the last steps of the execution that registered "
                f"{package['ModelPackageArn']} write it: see `python -m pipelines status`"
            )
    return baseline


def _schema(archive: bytes) -> Mapping[str, Any]:
    """Return the schema.json in a model archive; empty if there is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            member = tar.extractfile("schema.json")
            schema = json.load(member) if member else None
    except (tarfile.TarError, EOFError, KeyError, ValueError):
        return {}
    return schema if isinstance(schema, dict) else {}


def _positive_label(archive: bytes | None, model_uri: str) -> str:
    """Return the second class of the schema in a model archive."""
    if archive is None:
        raise UserError(
            f"the model archive {model_uri} with the names of the classes does not exist; register a new version"
        )
    try:
        return str(_schema(archive)["classes"][1])
    except (KeyError, IndexError, TypeError):
        raise UserError(
            f"{model_uri} has no schema.json with two classes; register a version with `python -m pipelines run`"
        ) from None
