"""The kinds of records: one line a kind, with what tags, events, listings and the server's status need to know of it.

A kind is the folder of its records and, for resources of SageMaker, the resource type in their ARNs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordKind:
    """A kind of records.

    Attributes:
        kind: Such as `training-job`.
        noun: What operations are called after, such as `TrainingJob` of DescribeTrainingJob; None for records that are
            no resource of SageMaker.
        member_prefix: What the Name, Arn and Status members begin with, where that is not the noun.
        is_job: Whether `jobs.manager` runs it.
        is_tagged: Whether AddTags and ListTags take its ARN.
        event_title: What its EventBridge events are called after, as in "SageMaker Training Job State Change"; None
            where changes make no such event.
        event_members: Members of which a change makes an event.
        event_times_are_iso: Whether events have times in ISO 8601 rather than epoch milliseconds.
        monitoring_type: The MonitoringType that a job definition is for.
    """

    kind: str
    noun: str | None = None
    member_prefix: str | None = None
    is_job: bool = False
    is_tagged: bool = True
    event_title: str | None = None
    event_members: tuple[str, ...] = ()
    event_times_are_iso: bool = False
    monitoring_type: str | None = None

    @property
    def name_member(self) -> str:
        return f"{self.member_prefix or self.noun}Name"

    @property
    def arn_member(self) -> str:
        return f"{self.member_prefix or self.noun}Arn"

    @property
    def status_member(self) -> str:
        return f"{self.member_prefix or self.noun}Status"

    @property
    def arn_type(self) -> str:
        """The resource type in ARNs: an execution's ARN is its pipeline's, and more."""
        return self.kind.removesuffix("-execution")


def _job(kind: str, noun: str, title: str, *members: str) -> RecordKind:
    return RecordKind(kind, noun, is_job=True, event_title=title, event_members=(f"{noun}Status", *members))


def _job_definition(kind: str, monitoring_type: str) -> RecordKind:
    noun = f"{monitoring_type}JobDefinition"
    return RecordKind(kind, noun, member_prefix="JobDefinition", monitoring_type=monitoring_type)


PIPELINE = RecordKind("pipeline", "Pipeline")
PIPELINE_EXECUTION = RecordKind("pipeline-execution", "PipelineExecution")
PROCESSING_JOB = _job("processing-job", "ProcessingJob", "Processing Job")
TRAINING_JOB = _job("training-job", "TrainingJob", "Training Job", "SecondaryStatus")
TRANSFORM_JOB = _job("transform-job", "TransformJob", "Transform Job")
TUNING_JOB = _job("hyper-parameter-tuning-job", "HyperParameterTuningJob", "HyperParameter Tuning Job")
MODEL = RecordKind("model", "Model", event_title="Model")
MONITORING_SCHEDULE = RecordKind("monitoring-schedule", "MonitoringSchedule")
MONITORING_EXECUTION = RecordKind("monitoring-execution", "MonitoringExecution", is_tagged=False)
DATA_QUALITY_JOB_DEFINITION = _job_definition("data-quality-job-definition", "DataQuality")
MODEL_QUALITY_JOB_DEFINITION = _job_definition("model-quality-job-definition", "ModelQuality")
ENDPOINT_CONFIG = RecordKind("endpoint-config", "EndpointConfig", event_title="Endpoint Config")
ENDPOINT = RecordKind("endpoint", "Endpoint", event_title="Endpoint", event_members=("EndpointStatus",))
MODEL_PACKAGE_GROUP = RecordKind("model-package-group", "ModelPackageGroup")
MODEL_PACKAGE = RecordKind(
    "model-package",
    "ModelPackage",
    event_title="Model Package",
    event_members=("ModelPackageStatus", "ModelApprovalStatus", "ModelLifeCycle"),
    event_times_are_iso=True,
)

# the resources of SageMaker
RESOURCES = (
    PIPELINE,
    PIPELINE_EXECUTION,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TUNING_JOB,
    MODEL,
    MONITORING_SCHEDULE,
    MONITORING_EXECUTION,
    DATA_QUALITY_JOB_DEFINITION,
    MODEL_QUALITY_JOB_DEFINITION,
    ENDPOINT_CONFIG,
    ENDPOINT,
    MODEL_PACKAGE_GROUP,
    MODEL_PACKAGE,
)

# records beside them
TAGS = "tags"
PIPELINE_DEFINITION = "pipeline-definition"
EXECUTION_STEPS = "execution-steps"
STEP_RESULT = "step-result"
STEP_CACHE = "step-cache"
LAMBDA_FUNCTION = "lambda-function"
LAMBDA_INVOCATION = "lambda-invocation"
SCHEDULE = "schedule"
