"""The kinds of records: one line a kind, with what tags, events, listings and the server's status need to know of it.

For resources of SageMaker, a kind is the resource type in their ARNs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

# a number; bool is one to Python, but not here
TIME = (int, float)
TYPE_NAMES = {str: "a string", int: "a number", TIME: "a time", list: "a list", dict: "a structure"}
Types = type | tuple[type, ...]


@dataclass(frozen=True)
class RecordKind:
    """A kind of records.

    Attributes:
        kind: Such as `training-job`.
        noun: What operations are called after, such as `TrainingJob` of DescribeTrainingJob; None for records that are
            no resource of SageMaker.
        member_prefix: What the Name, Arn and Status members begin with, where that is not the noun; may be "".
        is_job: Whether `jobs.manager` runs it.
        is_tagged: Whether AddTags and ListTags take its ARN.
        event_title: What its EventBridge events are called after, as in "SageMaker Training Job State Change"; None
            where changes make no such event.
        event_members: Members of which a change makes an event.
        event_times_are_iso: Whether events have times in ISO 8601 rather than epoch milliseconds.
        monitoring_type: The MonitoringType that a job definition is for.
        columns: The members that columns of the database hold, besides name, times and status. A path such as
            `Configuration.FunctionName` leads into structures. No record is found by a member without a column.
        required: Members that every record has, besides name, ARN, CreationTime and status, and their types. A record
            that lacks one is damaged.
        has_status: Whether records have a status.
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
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    required: Mapping[str, Types] = field(default_factory=dict, hash=False)
    has_status: bool = True

    def column_values(self, record: Mapping[str, Any]) -> dict[str, str | float | None]:
        """Return what the columns of the database hold of a record; None for what it lacks."""
        return {column: _scalar(member(record, path)) for column, path in self.column_paths.items()}

    def fault(self, record: Any) -> str | None:
        """Return why a value is not a record of this kind, None if it is one."""
        if not isinstance(record, dict):
            return "it is not a structure"
        for path, types in self.required_types.items():
            value = member(record, path)
            if value is None:
                return f"it lacks {path}"
            if not isinstance(value, types) or isinstance(value, bool):
                return f"{path} must be {TYPE_NAMES[types]}, not {str(value)[:100]}"
        return None

    @cached_property
    def column_paths(self) -> dict[str, str]:
        """The paths of the members that columns of the database hold."""
        usual = {
            "title": self.name_member,
            "created": "CreationTime",
            "modified": "LastModifiedTime",
            "status": self.status_member,
        }
        return {**(usual if self.noun else {}), **self.columns}

    @cached_property
    def required_types(self) -> dict[str, Types]:
        """The types of the members that every record has, by path."""
        if self.noun is None:
            return dict(self.required)
        paths = self.column_paths
        status: dict[str, Types] = {paths["status"]: str} if self.has_status else {}
        return {paths["title"]: str, "CreationTime": TIME, **status, **self.required}

    @property
    def name_member(self) -> str:
        return f"{self._prefix}Name"

    @property
    def arn_member(self) -> str:
        return f"{self._prefix}Arn"

    @property
    def status_member(self) -> str:
        return f"{self._prefix}Status"

    @property
    def _prefix(self) -> str | None:
        return self.noun if self.member_prefix is None else self.member_prefix

    @property
    def arn_type(self) -> str:
        """The resource type in ARNs: an execution's ARN is its pipeline's, and more."""
        return self.kind.removesuffix("-execution")


def member(record: Mapping[str, Any], path: str) -> Any:
    """Return the member of a record at a path such as `Configuration.FunctionName`; None if there is none."""
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _scalar(value: Any) -> str | float | None:
    return value if isinstance(value, str | int | float) else None


def _job(kind: str, noun: str, title: str, *members: str, required: Mapping[str, Types] | None = None) -> RecordKind:
    return RecordKind(
        kind,
        noun,
        is_job=True,
        event_title=title,
        event_members=(f"{noun}Status", *members),
        required={f"{noun}Arn": str, **(required or {})},
    )


def _job_definition(kind: str, monitoring_type: str) -> RecordKind:
    noun = f"{monitoring_type}JobDefinition"
    return RecordKind(
        kind,
        noun,
        member_prefix="JobDefinition",
        monitoring_type=monitoring_type,
        columns={"endpoint": f"{monitoring_type}JobInput.EndpointInput.EndpointName"},
        required={"JobDefinitionArn": str, f"{monitoring_type}JobInput": dict},
        has_status=False,
    )


PIPELINE = RecordKind(
    "pipeline",
    "Pipeline",
    required={"PipelineArn": str, "RoleArn": str, "ClientRequestToken": str, "Versions": list},
)
PIPELINE_EXECUTION = RecordKind(
    "pipeline-execution",
    "PipelineExecution",
    # an execution has no name, and ListPipelineExecutions sorts by its ARN
    columns={"title": "PipelineExecutionArn", "parent": "PipelineArn", "token": "ClientRequestToken"},
    required={
        "PipelineArn": str,
        "PipelineName": str,
        "PipelineParameters": list,
        "DefinitionDigest": str,
        "RoleArn": str,
        "LastModifiedTime": TIME,
    },
)
PROCESSING_JOB = _job("processing-job", "ProcessingJob", "Processing Job")
TRAINING_JOB = _job("training-job", "TrainingJob", "Training Job", "SecondaryStatus")
TRANSFORM_JOB = _job("transform-job", "TransformJob", "Transform Job")
TUNING_JOB = _job(
    "hyper-parameter-tuning-job",
    "HyperParameterTuningJob",
    "HyperParameter Tuning Job",
    required={
        "TrainingJobs": list,
        "HyperParameterTuningJobConfig.Strategy": str,
        "HyperParameterTuningJobConfig.ResourceLimits": dict,
        "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective.MetricName": str,
        "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective.Type": str,
    },
)
MODEL = RecordKind("model", "Model", event_title="Model", required={"ModelArn": str}, has_status=False)
MONITORING_SCHEDULE = RecordKind(
    "monitoring-schedule",
    "MonitoringSchedule",
    columns={
        "endpoint": "EndpointName",
        "job_definition": "MonitoringScheduleConfig.MonitoringJobDefinitionName",
        "monitoring_type": "MonitoringType",
    },
    required={"MonitoringScheduleArn": str, "MonitoringScheduleConfig": dict, "MonitoringType": str},
)
MONITORING_EXECUTION = RecordKind(
    "monitoring-execution",
    "MonitoringExecution",
    is_tagged=False,
    columns={
        "parent": "MonitoringScheduleName",
        "scheduled": "ScheduledTime",
        "endpoint": "EndpointName",
        "job_definition": "MonitoringJobDefinitionName",
        "monitoring_type": "MonitoringType",
    },
    required={"MonitoringScheduleName": str, "ScheduledTime": TIME},
)
DATA_QUALITY_JOB_DEFINITION = _job_definition("data-quality-job-definition", "DataQuality")
MODEL_QUALITY_JOB_DEFINITION = _job_definition("model-quality-job-definition", "ModelQuality")
MODEL_BIAS_JOB_DEFINITION = _job_definition("model-bias-job-definition", "ModelBias")
MODEL_EXPLAINABILITY_JOB_DEFINITION = _job_definition("model-explainability-job-definition", "ModelExplainability")
ENDPOINT_CONFIG = RecordKind(
    "endpoint-config",
    "EndpointConfig",
    event_title="Endpoint Config",
    required={"EndpointConfigArn": str, "ProductionVariants": list},
    has_status=False,
)
ENDPOINT = RecordKind(
    "endpoint",
    "Endpoint",
    event_title="Endpoint",
    event_members=("EndpointStatus",),
    required={"EndpointArn": str},
)
MODEL_PACKAGE_GROUP = RecordKind(
    "model-package-group", "ModelPackageGroup", required={"ModelPackageGroupArn": str, "LastVersion": int}
)
MODEL_PACKAGE = RecordKind(
    "model-package",
    "ModelPackage",
    event_title="Model Package",
    event_members=("ModelPackageStatus", "ModelApprovalStatus", "ModelLifeCycle"),
    event_times_are_iso=True,
    columns={"parent": "ModelPackageGroupName", "approval": "ModelApprovalStatus", "token": "ClientToken"},
    required={"ModelPackageArn": str},
)
MLFLOW_APP = RecordKind(
    "mlflow-app",
    "MlflowApp",
    member_prefix="",
    required={"Arn": str, "ArtifactStoreUri": str, "AccountDefaultStatus": str},
)
MLFLOW_TRACKING_SERVER = RecordKind(
    "mlflow-tracking-server",
    "MlflowTrackingServer",
    member_prefix="TrackingServer",
    required={"TrackingServerArn": str, "ArtifactStoreUri": str},
)

FEATURE_GROUP = RecordKind(
    "feature-group",
    "FeatureGroup",
    required={
        "FeatureGroupArn": str,
        "FeatureGroupStatus": str,
        "RecordIdentifierFeatureName": str,
        "EventTimeFeatureName": str,
        "FeatureDefinitions": list,
    },
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
    MODEL_BIAS_JOB_DEFINITION,
    MODEL_EXPLAINABILITY_JOB_DEFINITION,
    ENDPOINT_CONFIG,
    ENDPOINT,
    MODEL_PACKAGE_GROUP,
    MODEL_PACKAGE,
    MLFLOW_APP,
    MLFLOW_TRACKING_SERVER,
    FEATURE_GROUP,
)

# records beside them
TAGS = "tags"
PIPELINE_DEFINITION = "pipeline-definition"
EXECUTION_STEPS = "execution-steps"
STEP_RESULT = "step-result"
STEP_CACHE = "step-cache"
CALLBACK = "callback"
LAMBDA_FUNCTION = "lambda-function"
LAMBDA_INVOCATION = "lambda-invocation"
LAMBDA_EVENT_SOURCE = "lambda-event-source"
SCHEDULE = "schedule"
ATHENA_QUERY = "athena-query"
LOG_GROUP = "log-group"

KINDS = {kind.kind: kind for kind in RESOURCES} | {
    TAGS: RecordKind(TAGS, required={"Tags": list}),
    PIPELINE_DEFINITION: RecordKind(PIPELINE_DEFINITION, required={"PipelineDefinition": str}),
    EXECUTION_STEPS: RecordKind(EXECUTION_STEPS, required={"Steps": dict}),
    STEP_RESULT: RecordKind(STEP_RESULT, required={"Properties": dict}),
    STEP_CACHE: RecordKind(
        STEP_CACHE,
        required={"EndTime": TIME, "CacheHitResult.SourcePipelineExecutionArn": str, "Objects": list},
    ),
    CALLBACK: RecordKind(
        CALLBACK,
        columns={"title": "StepName", "parent": "PipelineExecutionArn", "status": "Status"},
        required={"PipelineExecutionArn": str, "StepName": str, "Status": str, "CreationTime": TIME},
    ),
    LAMBDA_FUNCTION: RecordKind(
        LAMBDA_FUNCTION,
        columns={"title": "Configuration.FunctionName"},
        required={"Configuration.FunctionName": str, "Policy": list, "Tags": dict},
    ),
    LAMBDA_EVENT_SOURCE: RecordKind(
        LAMBDA_EVENT_SOURCE,
        columns={"title": "FunctionArn", "parent": "EventSourceArn"},
        required={"UUID": str, "EventSourceArn": str, "FunctionArn": str, "State": str, "BatchSize": int},
    ),
    LAMBDA_INVOCATION: RecordKind(LAMBDA_INVOCATION, required={"Id": str, "FunctionName": str, "Event": str}),
    ATHENA_QUERY: RecordKind(
        ATHENA_QUERY,
        columns={"created": "Status.SubmissionDateTime", "status": "Status.State"},
        required={"QueryExecutionId": str, "Query": str, "Status.State": str, "Status.SubmissionDateTime": TIME},
    ),
    SCHEDULE: RecordKind(SCHEDULE, required={"Since": TIME}),
    LOG_GROUP: RecordKind(LOG_GROUP, required={"RetentionInDays": int}),
}
