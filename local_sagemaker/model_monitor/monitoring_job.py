"""What a monitoring schedule runs, whichever way it was defined: in the schedule itself or by a job definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.transfers import ClientFault, split_uri

Record = dict[str, Any]
Call = Callable[[str, Record], Record]

DATA_QUALITY, MODEL_QUALITY = "DataQuality", "ModelQuality"
# kinds of records, by type
DEFINITIONS = {DATA_QUALITY: "data-quality-job-definition", MODEL_QUALITY: "model-quality-job-definition"}


@dataclass(frozen=True)
class MonitoringJob:
    """The parts of a monitoring job, in the shapes of the API.

    Attributes:
        type: DataQuality or ModelQuality.
        definition_name: None where the schedule defines the job itself.
        input: an EndpointInput, or a BatchTransformInput where `endpoint_name` is None.
        output: the S3Output.
        baseline: `constraints` and `statistics`, the S3 URIs that there are.
        specification: the image, entry point, arguments and scripts.
        ground_truth: the S3 URI of the labels' hours; model quality alone has one.
        settings: members that a processing job has under the same names.
    """

    type: str
    definition_name: str | None
    input: Record
    output: Record
    output_key: str | None
    baseline: dict[str, str]
    specification: Record
    resources: Record
    environment: dict[str, str]
    ground_truth: str | None = None
    problem_type: str | None = None
    settings: Record = field(default_factory=dict)

    @property
    def endpoint_name(self) -> str | None:
        """The endpoint that is monitored; None for batch transforms."""
        return self.input.get("EndpointName")


def find_job(config: Record, call: Call) -> MonitoringJob:
    """The job of a MonitoringScheduleConfig. `call`: SageMaker's operations.

    Raises ServiceError where it is not defined, or of a type that cannot run here.
    """
    type_, name = config.get("MonitoringType", DATA_QUALITY), config.get("MonitoringJobDefinitionName")
    if type_ not in DEFINITIONS:
        raise ServiceError(
            "ValidationException",
            f"MonitoringType {type_} is not supported by the local SageMaker; it runs {' and '.join(DEFINITIONS)}",
        )
    if (name is None) == ("MonitoringJobDefinition" not in config):
        raise ServiceError(
            "ValidationException", "Give either MonitoringJobDefinitionName or MonitoringJobDefinition, and not both."
        )
    if name is not None:
        definition = call(f"Describe{type_}JobDefinition", {"JobDefinitionName": name})
        return job_of_definition(type_, definition, call)
    if type_ == MODEL_QUALITY:
        raise ServiceError(
            "ValidationException", "A ModelQuality schedule needs a MonitoringJobDefinitionName: labels are part of it."
        )
    return _job_of_schedule(config["MonitoringJobDefinition"], call)


def job_of_definition(type_: str, definition: Record, call: Call) -> MonitoringJob:
    """The job that a Create...JobDefinition request, or the answer of its Describe operation, defines.

    Raises ServiceError.
    """
    specification = definition[f"{type_}AppSpecification"]
    job_input = definition[f"{type_}JobInput"]
    output = definition[f"{type_}JobOutputConfig"]
    ground_truth = job_input.get("GroundTruthS3Input")
    if ground_truth is not None and "S3Uri" not in ground_truth:
        raise ServiceError("ValidationException", "GroundTruthS3Input needs an S3Uri.")
    if type_ == MODEL_QUALITY and "ProblemType" not in specification:
        raise ServiceError("ValidationException", "ModelQualityAppSpecification needs a ProblemType.")
    return MonitoringJob(
        type=type_,
        definition_name=definition["JobDefinitionName"],
        input=_input(job_input),
        output=output["MonitoringOutputs"][0]["S3Output"],
        output_key=output.get("KmsKeyId"),
        baseline=_baseline(definition.get(f"{type_}BaselineConfig", {}), call),
        specification=specification,
        resources=definition["JobResources"],
        environment=specification.get("Environment", {}),
        ground_truth=ground_truth["S3Uri"] if ground_truth else None,
        problem_type=specification.get("ProblemType"),
        settings=_settings(definition),
    )


def check_job(job: MonitoringJob, images: Images) -> None:
    """Raise ServiceError for a job whose image cannot run here, or whose data is not in S3."""
    uris = (job.output["S3Uri"], job.ground_truth, job.input.get("DataCapturedDestinationS3Uri"))
    try:
        images.find(job.specification["ImageUri"], "processing-job")
        for uri in (*uris, *job.baseline.values()):
            if uri is not None:
                split_uri(uri)
    except (UnsupportedImage, ClientFault) as error:
        raise ServiceError("ValidationException", str(error)) from error


def _job_of_schedule(definition: Record, call: Call) -> MonitoringJob:
    return MonitoringJob(
        type=DATA_QUALITY,
        definition_name=None,
        input=_input(definition["MonitoringInputs"][0]),
        output=definition["MonitoringOutputConfig"]["MonitoringOutputs"][0]["S3Output"],
        output_key=definition["MonitoringOutputConfig"].get("KmsKeyId"),
        baseline=_baseline(definition.get("BaselineConfig", {}), call),
        specification=definition["MonitoringAppSpecification"],
        resources=definition["MonitoringResources"],
        environment=definition.get("Environment", {}),
        settings=_settings(definition),
    )


def _input(item: Record) -> Record:
    given = [item[kind] for kind in ("EndpointInput", "BatchTransformInput") if kind in item]
    if len(given) != 1:
        raise ServiceError("ValidationException", "Give either EndpointInput or BatchTransformInput, and not both.")
    if len(given[0].get("DatasetFormat", {"": {}})) != 1:
        raise ServiceError("ValidationException", "DatasetFormat needs exactly one of Csv, Json and Parquet.")
    return dict(given[0])


def _baseline(config: Record, call: Call) -> dict[str, str]:
    """The baseline's files: those that are named, else what the baselining job has left."""
    named = {
        part.lower(): config[f"{part}Resource"]["S3Uri"]
        for part in ("Constraints", "Statistics")
        if config.get(f"{part}Resource", {}).get("S3Uri")
    }
    if named or "BaseliningJobName" not in config:
        return named
    job = call("DescribeProcessingJob", {"ProcessingJobName": config["BaseliningJobName"]})
    outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", [])
    folders = [output["S3Output"]["S3Uri"].rstrip("/") for output in outputs if "S3Output" in output]
    if not folders:
        raise ServiceError("ValidationException", f"The baselining job {config['BaseliningJobName']} has no output.")
    return {part: f"{folders[0]}/{part}.json" for part in ("constraints", "statistics")}


def _settings(definition: Record) -> Record:
    """What a processing job has under the same name."""
    names = ("RoleArn", "StoppingCondition", "NetworkConfig")
    return {name: definition[name] for name in names if name in definition}
