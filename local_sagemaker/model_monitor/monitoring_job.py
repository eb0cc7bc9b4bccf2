"""The job that a monitoring schedule runs, defined in the schedule itself or by a job definition."""

from __future__ import annotations

from dataclasses import dataclass, field

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.model_monitor.monitoring_type import (
    CLARIFY_BASELINE,
    DATA_QUALITY,
    MODEL_QUALITY,
    MONITORING_TYPES,
    QUALITY_BASELINE,
    MonitoringType,
)
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri


@dataclass(frozen=True)
class MonitoringJob:
    """The parts of a monitoring job, in the shapes of the API.

    Attributes:
        type: The type of monitoring.
        definition_name: The job definition; None if the schedule defines the job itself.
        input: An EndpointInput, or a BatchTransformInput if `endpoint_name` is None.
        output: The S3Output.
        output_key: The KMS key of the output.
        baseline: S3 URIs by `constraints` and `statistics`, as far as they are given.
        specification: Image, entry point, arguments and scripts.
        resources: The MonitoringResources.
        environment: The container's environment variables.
        config: The S3 URI of Clarify's analysis configuration; None for the analyzer of quality.
        ground_truth: The S3 URI of the labels; only model quality and model bias have one.
        problem_type: The ProblemType; only model quality has one.
        settings: Members that CreateProcessingJob has under the same names.
    """

    type: MonitoringType
    definition_name: str | None
    input: Record
    output: Record
    output_key: str | None
    baseline: dict[str, str]
    specification: Record
    resources: Record
    environment: dict[str, str]
    config: str | None = None
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
        ServiceError: The job definition does not exist or is not valid.
    """
    type_ = MONITORING_TYPES[config.get("MonitoringType", DATA_QUALITY.name)]
    name = config.get("MonitoringJobDefinitionName")
    if (name is None) == ("MonitoringJobDefinition" not in config):
        raise ServiceError(
            "ValidationException", "Give either MonitoringJobDefinitionName or MonitoringJobDefinition, and not both."
        )
    if name is not None:
        definition = call(f"Describe{type_.name}JobDefinition", {"JobDefinitionName": name})
        return job_of_definition(type_, definition, call)
    if type_ is not DATA_QUALITY:
        missing = "ConfigUri" if type_.is_clarify else "GroundTruthS3Input"
        raise ServiceError(
            "ValidationException",
            f"A {type_.name} schedule requires a MonitoringJobDefinitionName, because only a job definition has a "
            f"{missing}.",
        )
    return _job_of_schedule(config["MonitoringJobDefinition"], call)


def job_of_definition(type_: MonitoringType, definition: Record, call: Call) -> MonitoringJob:
    """Return the job of a job definition.

    Args:
        type_: The type of monitoring.
        definition: A request to create it, or the response that describes it.
        call: Calls an operation of SageMaker.

    Raises:
        ServiceError: The definition is not valid.
    """
    specification = definition[f"{type_.name}AppSpecification"]
    job_input = definition[f"{type_.name}JobInput"]
    output = definition[f"{type_.name}JobOutputConfig"]
    ground_truth = job_input.get("GroundTruthS3Input")
    if ground_truth is not None and "S3Uri" not in ground_truth:
        raise ServiceError("ValidationException", "GroundTruthS3Input requires an S3Uri.")
    if type_ is MODEL_QUALITY and "ProblemType" not in specification:
        raise ServiceError("ValidationException", "ModelQualityAppSpecification requires a ProblemType.")
    return MonitoringJob(
        type=type_,
        definition_name=definition["JobDefinitionName"],
        input=_input(job_input, type_),
        output=output["MonitoringOutputs"][0]["S3Output"],
        output_key=output.get("KmsKeyId"),
        baseline=_baseline(definition.get(f"{type_.name}BaselineConfig", {}), type_, call),
        specification=specification,
        resources=definition["JobResources"],
        environment=specification.get("Environment", {}),
        config=specification.get("ConfigUri"),
        ground_truth=ground_truth["S3Uri"] if ground_truth else None,
        problem_type=specification.get("ProblemType"),
        settings=_settings(definition),
    )


def check_job(job: MonitoringJob, images: Images) -> None:
    """Raise ServiceError if a job's image cannot run here or one of its URIs is not an S3 URI."""
    uris = (job.output["S3Uri"], job.config, job.ground_truth, job.input.get("DataCapturedDestinationS3Uri"))
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
        input=_input(definition["MonitoringInputs"][0], DATA_QUALITY),
        output=definition["MonitoringOutputConfig"]["MonitoringOutputs"][0]["S3Output"],
        output_key=definition["MonitoringOutputConfig"].get("KmsKeyId"),
        baseline=_baseline(definition.get("BaselineConfig", {}), DATA_QUALITY, call),
        specification=definition["MonitoringAppSpecification"],
        resources=definition["MonitoringResources"],
        environment=definition.get("Environment", {}),
        settings=_settings(definition),
    )


def _input(item: Record, type_: MonitoringType) -> Record:
    inputs = [item[kind] for kind in ("EndpointInput", "BatchTransformInput") if kind in item]
    if len(inputs) != 1:
        raise ServiceError("ValidationException", "Give either EndpointInput or BatchTransformInput, and not both.")
    if len(inputs[0].get("DatasetFormat", {"": {}})) != 1:
        raise ServiceError("ValidationException", "DatasetFormat requires exactly one of Csv, Json and Parquet.")
    for member in ("FeaturesAttribute", "ExcludeFeaturesAttribute"):
        if member in inputs[0] and not type_.is_clarify:
            raise ServiceError(
                "ValidationException",
                f"The local SageMaker does not implement {member} for {type_.name} monitoring; remove it.",
            )
    return dict(inputs[0])


def _baseline(config: Record, type_: MonitoringType, call: Call) -> dict[str, str]:
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
    files = CLARIFY_BASELINE if type_.is_clarify else QUALITY_BASELINE
    return {part: f"{folders[0]}/{name}" for part, name in files.items()}


def _settings(definition: Record) -> Record:
    """Return the members that CreateProcessingJob has under the same names."""
    names = ("RoleArn", "StoppingCondition", "NetworkConfig")
    return {name: definition[name] for name in names if name in definition}
