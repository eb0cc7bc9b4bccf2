"""Requests for Model Monitor's job definitions, which are immutable; their names contain a hash of their content."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from deployment.plan import resource_tags
from monitoring.clarify_files import scores
from monitoring.monitored_endpoint import CLARIFY, MonitoredEndpoint
from monitoring.schedule import LABELLED
from monitoring.schedule_expressions import minutes_between
from project.settings import Settings
from project.target import Target

Request = dict[str, Any]

MONITORING_TYPES = {
    "data-quality": "DataQuality",
    "model-quality": "ModelQuality",
    "bias": "ModelBias",
    "attribution": "ModelExplainability",
}
_INPUT = "/opt/ml/processing/input"
_MAX_NAME_LENGTH = 63


def job_definition_request(
    settings: Settings,
    target: Target,
    endpoint: MonitoredEndpoint,
    analysis: str,
    expression: str,
    image_uri: str,
    preprocessor_uri: str,
) -> Request:
    """Build the request of CreateDataQualityJobDefinition or of the operation for another analysis.

    Args:
        settings: The project's settings.
        target: Where the jobs run.
        endpoint: The endpoint to monitor.
        analysis: A key of MONITORING_TYPES.
        expression: The schedule's expression; a job must end before the next one starts.
        image_uri: Model Monitor's image, or Clarify's.
        preprocessor_uri: S3 URI of the record preprocessor.
    """
    kind, baseline = MONITORING_TYPES[analysis], endpoint.baselines[analysis]
    statistics = {"StatisticsResource": {"S3Uri": baseline.statistics}} if analysis == "data-quality" else {}
    interval = minutes_between(expression)
    request: Request = {
        f"{kind}BaselineConfig": {"ConstraintsResource": {"S3Uri": baseline.constraints}, **statistics},
        f"{kind}AppSpecification": {
            "ImageUri": image_uri,
            **_specification(settings, endpoint, analysis, preprocessor_uri),
        },
        f"{kind}JobInput": _job_input(settings, endpoint, analysis, interval),
        f"{kind}JobOutputConfig": _output(settings, target),
        **_job(settings, target, analysis, interval * 60),
        "Tags": resource_tags(settings, endpoint.endpoint),
    }
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:8]
    max_length = _MAX_NAME_LENGTH - len(f"-{analysis}-{digest}")
    return {"JobDefinitionName": f"{endpoint.endpoint[:max_length].rstrip('-')}-{analysis}-{digest}", **request}


def _specification(settings: Settings, endpoint: MonitoredEndpoint, analysis: str, preprocessor_uri: str) -> Request:
    environment = {"publish_cloudwatch_metrics": "Enabled"}
    if analysis == "model-quality":
        if endpoint.positive_label:
            environment["positive_label"] = endpoint.positive_label
        return {"ProblemType": settings.problem_type, "Environment": environment}
    if analysis in CLARIFY:
        return {"ConfigUri": endpoint.baselines[analysis].config, "Environment": environment}
    # the captured input of a transform job has only features
    script = {} if endpoint.batch else {"RecordPreprocessorSourceUri": preprocessor_uri}
    return {"Environment": environment, **script}


def _job_input(settings: Settings, endpoint: MonitoredEndpoint, analysis: str, interval: int) -> Request:
    source: Request = {
        "LocalPath": f"{_INPUT}/{'transform' if endpoint.batch else 'endpoint'}",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    if analysis in LABELLED:
        source |= _attributes(settings, endpoint, analysis)
        if delay := math.ceil(settings.monitoring.label_delay_minutes / 60):
            hours = interval // 60
            source |= {"StartTimeOffset": f"-PT{delay + hours}H", "EndTimeOffset": f"-PT{delay}H"}
    if analysis == "attribution":
        # in captured responses and in those of the shadow endpoint
        source["InferenceAttribute"] = scores(settings)
    if endpoint.batch:
        source = {
            "DataCapturedDestinationS3Uri": endpoint.capture_uri,
            "DatasetFormat": {"Json": {"Line": True}},
            **source,
        }
    else:
        source = {"EndpointName": endpoint.endpoint, **source}
    labels = {"GroundTruthS3Input": {"S3Uri": endpoint.ground_truth_uri}} if analysis in LABELLED else {}
    return {"BatchTransformInput" if endpoint.batch else "EndpointInput": source, **labels}


def _attributes(settings: Settings, endpoint: MonitoredEndpoint, analysis: str) -> Request:
    """Return the paths of prediction and probability in the response; a batch output has one prediction per line.

    Bias is that of the predicted labels, by the model's own decision threshold, and so needs no probability.
    """
    prefix = "" if endpoint.batch else "predictions[0]."
    if settings.problem_type == "Regression":
        return {"InferenceAttribute": f"{prefix}prediction"}
    needs_probability = settings.problem_type == "BinaryClassification" and analysis == "model-quality"
    probability = {"ProbabilityAttribute": f"{prefix}probability"} if needs_probability else {}
    return {"InferenceAttribute": f"{prefix}label", **probability}


def _output(settings: Settings, target: Target) -> Request:
    kms_key = settings.security.kms_key
    destination = {
        "S3Uri": f"{settings.uri(target.bucket)}/monitoring/model-monitor",
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "EndOfJob",
    }
    return {"MonitoringOutputs": [{"S3Output": destination}], **({"KmsKeyId": kms_key} if kms_key else {})}


def _job(settings: Settings, target: Target, analysis: str, interval_seconds: int) -> Request:
    """Return instances, time limit, network and role of the jobs."""
    resources, security = settings.resources, settings.security
    network: Request = {}
    if security.encrypt_inter_container_traffic:
        network["EnableInterContainerTrafficEncryption"] = True
    # Clarify calls SageMaker for the shadow endpoint that predicts for the SHAP values
    if security.network_isolation and analysis != "attribution":
        network["EnableNetworkIsolation"] = True
    if security.subnets:
        network["VpcConfig"] = {
            "SecurityGroupIds": list(security.security_group_ids),
            "Subnets": list(security.subnets),
        }
    return {
        "JobResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": resources.processing_instance_type,
                "VolumeSizeInGB": resources.volume_size_in_gb,
                **({"VolumeKmsKeyId": security.kms_key} if security.kms_key else {}),
            }
        },
        **({"NetworkConfig": network} if network else {}),
        "RoleArn": target.job_role_arn or target.role_arn,
        "StoppingCondition": {
            "MaxRuntimeInSeconds": min(resources.processing_max_runtime_in_seconds, interval_seconds)
        },
    }
