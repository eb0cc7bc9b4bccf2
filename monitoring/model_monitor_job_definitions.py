"""Requests for Model Monitor's job definitions. They can't be changed, so each is named by its content."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from deployment.plan import resource_tags
from monitoring.monitored_endpoint import MonitoredEndpoint
from monitoring.schedule_expressions import minutes_between
from project.settings import Settings
from project.target import Target

Request = dict[str, Any]

TYPES = {"data-quality": "DataQuality", "model-quality": "ModelQuality"}
_INPUT = "/opt/ml/processing/input"
_LONGEST_NAME = 63


def job_definition_request(
    settings: Settings,
    target: Target,
    watched: MonitoredEndpoint,
    analysis: str,
    expression: str,
    image_uri: str,
    preprocessor_uri: str,
) -> Request:
    """The request of CreateDataQualityJobDefinition or CreateModelQualityJobDefinition.

    expression: of the schedule that runs the job, which has to end before the next one.
    """
    kind, baseline = TYPES[analysis], watched.baselines[analysis]
    statistics = {"StatisticsResource": {"S3Uri": baseline.statistics}} if analysis == "data-quality" else {}
    interval = minutes_between(expression)
    request: Request = {
        f"{kind}BaselineConfig": {"ConstraintsResource": {"S3Uri": baseline.constraints}, **statistics},
        f"{kind}AppSpecification": {
            "ImageUri": image_uri,
            **_specification(settings, watched, analysis, preprocessor_uri),
        },
        f"{kind}JobInput": _job_input(settings, watched, analysis, interval),
        f"{kind}JobOutputConfig": _output(settings, target),
        **_job(settings, target, interval * 60),
        "Tags": resource_tags(settings, watched.endpoint),
    }
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:8]
    room = _LONGEST_NAME - len(f"-{analysis}-{digest}")
    return {"JobDefinitionName": f"{watched.endpoint[:room].rstrip('-')}-{analysis}-{digest}", **request}


def _specification(settings: Settings, watched: MonitoredEndpoint, analysis: str, preprocessor_uri: str) -> Request:
    environment = {"publish_cloudwatch_metrics": "Enabled"}
    if analysis == "model-quality":
        if watched.positive_label:
            environment["positive_label"] = watched.positive_label
        return {"ProblemType": settings.problem_type, "Environment": environment}
    # the input of a transform job holds features alone already
    script = {} if watched.batch else {"RecordPreprocessorSourceUri": preprocessor_uri}
    return {"Environment": environment, **script}


def _job_input(settings: Settings, watched: MonitoredEndpoint, analysis: str, interval: int) -> Request:
    source: Request = {
        "LocalPath": f"{_INPUT}/{'transform' if watched.batch else 'endpoint'}",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    if analysis == "model-quality":
        source |= _attributes(settings, watched)
        if delay := math.ceil(settings.monitoring.label_delay_minutes / 60):
            hours = interval // 60
            source |= {"StartTimeOffset": f"-PT{delay + hours}H", "EndTimeOffset": f"-PT{delay}H"}
    if watched.batch:
        source = {
            "DataCapturedDestinationS3Uri": watched.capture_uri,
            "DatasetFormat": {"Json": {"Line": True}},
            **source,
        }
    else:
        source = {"EndpointName": watched.endpoint, **source}
    labels = {"GroundTruthS3Input": {"S3Uri": watched.ground_truth_uri}} if analysis == "model-quality" else {}
    return {"BatchTransformInput" if watched.batch else "EndpointInput": source, **labels}


def _attributes(settings: Settings, watched: MonitoredEndpoint) -> Request:
    """Where in the handler's answer prediction and probability are; a batch has one prediction a line."""
    place = "" if watched.batch else "predictions[0]."
    if settings.problem_type == "Regression":
        return {"InferenceAttribute": f"{place}prediction"}
    probability = {"ProbabilityAttribute": f"{place}probability"}
    return {
        "InferenceAttribute": f"{place}label",
        **(probability if settings.problem_type == "BinaryClassification" else {}),
    }


def _output(settings: Settings, target: Target) -> Request:
    kms_key = settings.security.kms_key
    place = {
        "S3Uri": f"{settings.uri(target.bucket)}/monitoring/model-monitor",
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "EndOfJob",
    }
    return {"MonitoringOutputs": [{"S3Output": place}], **({"KmsKeyId": kms_key} if kms_key else {})}


def _job(settings: Settings, target: Target, interval_seconds: int) -> Request:
    """Machine, time limit, network and role."""
    resources, security = settings.resources, settings.security
    network: Request = {}
    if security.encrypt_inter_container_traffic:
        network["EnableInterContainerTrafficEncryption"] = True
    if security.network_isolation:
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
