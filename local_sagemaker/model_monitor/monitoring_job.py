"""The job that a monitoring schedule runs, defined in the schedule itself or by a job definition."""

from __future__ import annotations

from dataclasses import dataclass, field

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.storage.record_kinds import RESOURCES
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

DATA_QUALITY, MODEL_QUALITY = "DataQuality", "ModelQuality"
# the MonitoringTypes that job definitions can have
SUPPORTED_TYPES = tuple(kind.monitoring_type for kind in RESOURCES if kind.monitoring_type is not None)


@dataclass(frozen=True)
class MonitoringJob:
    """The parts of a monitoring job, in the shapes of the API.

    Attributes:
        type: The MonitoringType, DataQuality or ModelQuality.
        definition_name: The job definition; None if the schedule defines the job itself.
        input: An EndpointInput, or a BatchTransformInput if `endpoint_name` is None.
        output: The S3Output.
        output_key: The KMS key of the output.
        baseline: S3 URIs by `constraints` and `statistics`, as far as they are given.
        specification: Image, entry point, arguments and scripts.
        resources: The MonitoringResources.
        environment: The container's environment variables.
        ground_truth: The S3 URI of the labels; only model quality has one.
        problem_type: The ProblemType; only model quality has one.
        settings: Members that CreateProcessingJob has under the same names.
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
        """The monitored endpoint; None for batch transforms."""
        return self.input.get("EndpointName")


def find_job(config: Record, call: Call) -> MonitoringJob:
    """Return the job of a schedule.

    Args:
        config: The MonitoringScheduleConfig.
        call: Calls an operation of SageMaker.

    Raises:
        ServiceError: The job definition does not exist, or its MonitoringType is not supported.
    """
    type_, name = config.get("MonitoringType", DATA_QUALITY), config.get("MonitoringJobDefinitionName")
    if type_ not in SUPPORTED_TYPES:
        raise ServiceError(
            "ValidationException",
            f"MonitoringType {type_} is not supported by the local SageMaker; use {' or '.join(SUPPORTED_TYPES)}",
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
            "ValidationException",
            "A ModelQuality schedule requires a MonitoringJobDefinitionName, because only a job definition has a "
            "GroundTruthS3Input.",
        )
    return _job_of_schedule(config["MonitoringJobDefinition"], call)


def job_of_definition(type_: str, definition: Record, call: Call) -> MonitoringJob:
    """Return the job of a job definition.

    Args:
        type_: The MonitoringType.
        definition: A request to create it, or the response that describes it.
        call: Calls an operation of SageMaker.

    Raises:
        ServiceError: The definition is not valid.
    """
    specification = definition[f"{type_}AppSpecification"]
    job_input = definition[f"{type_}JobInput"]
    output = definition[f"{type_}JobOutputConfig"]
    ground_truth = job_input.get("GroundTruthS3Input")
    if ground_truth is not None and "S3Uri" not in ground_truth:
        raise ServiceError("ValidationException", "GroundTruthS3Input requires an S3Uri.")
    if type_ == MODEL_QUALITY and "ProblemType" not in specification:
        raise ServiceError("ValidationException", "ModelQualityAppSpecification requires a ProblemType.")
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
    """Raise ServiceError if a job's image cannot run here or one of its URIs is not an S3 URI."""
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
    inputs = [item[kind] for kind in ("EndpointInput", "BatchTransformInput") if kind in item]
    if len(inputs) != 1:
        raise ServiceError("ValidationException", "Give either EndpointInput or BatchTransformInput, and not both.")
    if len(inputs[0].get("DatasetFormat", {"": {}})) != 1:
        raise ServiceError("ValidationException", "DatasetFormat requires exactly one of Csv, Json and Parquet.")
    return dict(inputs[0])


def _baseline(config: Record, call: Call) -> dict[str, str]:
    """Return the baseline's files: those that are given, else the output of the baselining job."""
    given = {
        part.lower(): config[f"{part}Resource"]["S3Uri"]
        for part in ("Constraints", "Statistics")
        if config.get(f"{part}Resource", {}).get("S3Uri")
    }
    if given or "BaseliningJobName" not in config:
        return given
    job = call("DescribeProcessingJob", {"ProcessingJobName": config["BaseliningJobName"]})
    outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", [])
    folders = [output["S3Output"]["S3Uri"].rstrip("/") for output in outputs if "S3Output" in output]
    if not folders:
        raise ServiceError("ValidationException", f"The baselining job {config['BaseliningJobName']} has no output.")
    return {part: f"{folders[0]}/{part}.json" for part in ("constraints", "statistics")}


def _settings(definition: Record) -> Record:
    """Return the members that CreateProcessingJob has under the same names."""
    names = ("RoleArn", "StoppingCondition", "NetworkConfig")
    return {name: definition[name] for name in names if name in definition}
