"""The settings of a project: one YAML file, checked before anything is built or sent.

A minimal file names the project, the problem, the data and what is good enough:

    name: churn
    problem_type: BinaryClassification
    data:
      input: data.csv            # a path beside this file, or an s3:// URI
      target_column: churned
    quality:
      metric: auc
      threshold: 0.85

Everything else has a default, shown by the classes below.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from project.errors import UserError
from project.s3_uris import is_s3_uri

ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression"]
ApprovalStatus = Literal["PendingManualApproval", "Approved", "Rejected"]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Seconds = Annotated[int, Field(ge=1, le=5 * 24 * 3600)]

# Model Monitor's metric names; a lower-is-better metric is checked with at-most, the others with at-least.
METRICS: dict[str, tuple[str, ...]] = {
    "BinaryClassification": ("auc", "accuracy", "precision", "recall", "f0_5", "f1", "f2"),
    "MulticlassClassification": (
        "accuracy",
        "weighted_precision",
        "weighted_recall",
        "weighted_f0_5",
        "weighted_f1",
        "weighted_f2",
    ),
    "Regression": ("rmse", "mae", "mse", "r2"),
}
LOWER_IS_BETTER = frozenset({"rmse", "mae", "mse"})


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitSettings(_Section):
    """How rows are divided; the three shares add up to 1."""

    strategy: Literal["random", "time", "group"] = "random"
    time_column: str | None = None
    group_column: str | None = None
    train: Share = 0.7
    validation: Share = 0.1
    test: Share = 0.2

    @model_validator(mode="after")
    def _consistent(self) -> SplitSettings:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test must add up to 1, they add up to {total:g}")
        if self.strategy == "time" and not self.time_column:
            raise ValueError("strategy 'time' needs time_column")
        if self.strategy == "group" and not self.group_column:
            raise ValueError("strategy 'group' needs group_column")
        return self


class ValidationSettings(_Section):
    """What the data must satisfy before a model is trained on it."""

    min_rows: Annotated[int, Field(ge=10)] = 50
    max_missing_share: Annotated[float, Field(gt=0, le=1)] = 0.95
    outlier_z_score: Annotated[float, Field(gt=0)] = 8.0


class DataSettings(_Section):
    """Where the data is and what its columns mean; without input each execution has to name its own."""

    input: str | None = None
    target_column: str
    positive_class: str | int | None = None
    drop_columns: tuple[str, ...] = ()
    categorical_columns: tuple[str, ...] = ()
    split: SplitSettings = SplitSettings()
    validation: ValidationSettings = ValidationSettings()

    @field_validator("positive_class", mode="before")
    @classmethod
    def _not_a_boolean(cls, value: object) -> object:
        # YAML reads a bare yes, no, on or off as a boolean, which matches no text in a column
        if isinstance(value, bool):
            raise ValueError(f"is the boolean {value}; put quotes around the class as it stands in the data")
        return value


class TrainingSettings(_Section):
    """LightGBM's parameters, under LightGBM's names."""

    num_leaves: Annotated[int, Field(ge=2, le=131072)] = 31
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    num_boost_round: Annotated[int, Field(ge=1, le=100000)] = 500
    early_stopping_rounds: Annotated[int, Field(ge=0, le=10000)] = 50
    max_depth: Annotated[int, Field(ge=-1)] = -1
    min_data_in_leaf: Annotated[int, Field(ge=0)] = 20
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    bagging_freq: Annotated[int, Field(ge=0)] = 0
    lambda_l1: Annotated[float, Field(ge=0)] = 0.0
    lambda_l2: Annotated[float, Field(ge=0)] = 0.0
    class_weight: Literal["none", "balanced"] = "none"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42


class QualitySettings(_Section):
    """The metric on the test split that decides whether a model is registered."""

    metric: str
    threshold: float

    @property
    def lower_is_better(self) -> bool:
        return self.metric in LOWER_IS_BETTER


class RegistrationSettings(_Section):
    """How a model package is registered; the group defaults to the project's name."""

    model_package_group: str | None = None
    approval_status: ApprovalStatus = "PendingManualApproval"
    inference_instances: Annotated[tuple[InstanceType, ...], Field(min_length=1)] = (
        "ml.t2.medium",
        "ml.m5.large",
        "ml.m5.xlarge",
    )
    transform_instances: Annotated[tuple[InstanceType, ...], Field(min_length=1)] = ("ml.m5.large", "ml.m5.xlarge")


class BaselineSettings(_Section):
    """Defaults of the baseline steps' switches, as QualityCheck steps define them."""

    skip_check: bool = True
    fail_on_violation: bool = False
    register_new_baseline: bool = True


class ResourceSettings(_Section):
    """Machines and time limits of the jobs."""

    processing_instance_type: InstanceType = "ml.m5.xlarge"
    processing_instance_count: Annotated[int, Field(ge=1, le=20)] = 1
    training_instance_type: InstanceType = "ml.m5.xlarge"
    training_instance_count: Annotated[int, Field(ge=1, le=20)] = 1
    volume_size_in_gb: Annotated[int, Field(ge=1, le=16384)] = 30
    processing_max_runtime_in_seconds: Seconds = 3600
    training_max_runtime_in_seconds: Seconds = 3 * 3600


class UpdateSettings(_Section):
    """How an endpoint's traffic moves to a new version (blue/green), and which alarms take it back."""

    traffic: Literal["canary", "linear", "all-at-once"] = "canary"
    # SageMaker takes 10 to 50 % of the new fleet as a step
    step_percentage: Annotated[int, Field(ge=10, le=50)] = 10
    # ten linear steps of it stay below the longest deployment that SageMaker allows, eight hours
    wait_seconds: Annotated[int, Field(ge=0, le=1800)] = 300
    max_5xx_errors_per_minute: Annotated[int, Field(ge=0)] = 0
    max_latency_in_milliseconds: Annotated[int, Field(ge=1)] = 1000


class ServerlessSettings(_Section):
    """The size of a serverless endpoint."""

    memory_in_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = 2048
    max_concurrency: Annotated[int, Field(ge=1, le=200)] = 5


class DeploymentSettings(_Section):
    """What approved model packages become. Autoscaling is between the two instance counts, off where they are equal."""

    instance_type: InstanceType = "ml.m5.large"
    instance_count: Annotated[int, Field(ge=1)] = 1
    max_instance_count: Annotated[int, Field(ge=1)] = 2
    invocations_per_instance: Annotated[int, Field(ge=1)] = 1000
    capture_percentage: Annotated[int, Field(ge=0, le=100)] = 100
    unknown_features: Literal["refuse", "ignore"] = "refuse"
    update: UpdateSettings = UpdateSettings()
    serverless: ServerlessSettings = ServerlessSettings()

    @model_validator(mode="after")
    def _consistent(self) -> DeploymentSettings:
        if self.max_instance_count < self.instance_count:
            raise ValueError(
                f"max_instance_count is {self.max_instance_count}; it is at least instance_count, {self.instance_count}"
            )
        if self.autoscaling and re.match(r"ml\.t\d", self.instance_type):
            raise ValueError(
                f"SageMaker does not scale the burstable {self.instance_type}; "
                "set max_instance_count to instance_count, or take another instance_type"
            )
        return self

    @property
    def autoscaling(self) -> bool:
        return self.max_instance_count > self.instance_count


class MonitoringSettings(_Section):
    """What of an endpoint is watched, and what counts as an alert."""

    analyses: Annotated[tuple[Literal["data-quality", "model-quality"], ...], Field(min_length=1)] = (
        "data-quality",
        "model-quality",
    )
    # the share of the features that may drift, and those of which none may
    max_drifted_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    critical_features: tuple[str, ...] = ()
    # of quality.metric; by default quality.threshold
    metric_threshold: float | None = None
    max_missing_label_share: Annotated[float, Field(ge=0, le=1)] = 0.9
    # captures reach S3 some minutes after their inferences, labels later still
    capture_delay_minutes: Annotated[int, Field(ge=0, le=60)] = 5
    label_delay_minutes: Annotated[int, Field(ge=0)] = 60


class ImageSettings(_Section):
    """Container images; a whole URI takes the place of SageMaker's scikit-learn image of that version."""

    scikit_learn_version: str = "1.9-0"
    processing: str | None = None
    training: str | None = None
    inference: str | None = None


class SecuritySettings(_Section):
    """Encryption and network of every job and endpoint.

    In an isolated network the containers can't install LightGBM: name images that hold it under `images`.
    """

    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    network_isolation: bool = False
    encrypt_inter_container_traffic: bool = False

    @property
    def object_encryption(self) -> dict[str, str]:
        """Further arguments of S3's PutObject and of uploads."""
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key} if self.kms_key else {}

    @model_validator(mode="after")
    def _consistent(self) -> SecuritySettings:
        if bool(self.subnets) != bool(self.security_group_ids):
            raise ValueError("subnets and security_group_ids go together: give both or neither")
        return self


class CacheSettings(_Section):
    """Re-use of a step's earlier result; expire_after is an ISO 8601 duration."""

    enabled: bool = True
    expire_after: Annotated[str, Field(pattern=r"^P((\d+[YMWD])+(T(\d+[HM])+)?|T(\d+[HM])+)$")] = "P30D"


class RetrySettings(_Section):
    """Retries on throttling and on the service's internal errors."""

    max_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    interval_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    backoff_rate: Annotated[float, Field(ge=1, le=10)] = 2.0


class Settings(_Section):
    """One project: a pipeline, its model package group and its prefix in the bucket."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
    problem_type: ProblemType
    data: DataSettings
    quality: QualitySettings
    training: TrainingSettings = TrainingSettings()
    registration: RegistrationSettings = RegistrationSettings()
    baselines: BaselineSettings = BaselineSettings()
    # `processing` runs this project's own analyzer in place of QualityCheck steps, for accounts without Model Monitor
    quality_checks: Literal["model-monitor", "processing"] = "model-monitor"
    resources: ResourceSettings = ResourceSettings()
    deployment: DeploymentSettings = DeploymentSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    images: ImageSettings = ImageSettings()
    security: SecuritySettings = SecuritySettings()
    cache: CacheSettings = CacheSettings()
    retry: RetrySettings = RetrySettings()
    tags: dict[str, str] = {}

    @field_validator("tags")
    @classmethod
    def _not_reserved(cls, tags: dict[str, str]) -> dict[str, str]:
        for key in tags:
            if key.lower().startswith("aws:"):
                raise ValueError(f"tag {key!r}: keys that start with 'aws:' are reserved")
        return tags

    @model_validator(mode="after")
    def _metric_fits(self) -> Settings:
        allowed = METRICS[self.problem_type]
        metric, threshold = self.quality.metric, self.quality.threshold
        if metric not in allowed:
            raise ValueError(f"quality.metric is {metric!r}; for {self.problem_type} it is one of {', '.join(allowed)}")
        if metric in LOWER_IS_BETTER:
            if threshold <= 0:
                raise ValueError(f"quality.threshold is {threshold:g}; for {metric} it is above 0")
        elif metric == "r2":
            if threshold > 1:
                raise ValueError(f"quality.threshold is {threshold:g}; for r2 it is at most 1")
        elif not 0 <= threshold <= 1:
            raise ValueError(f"quality.threshold is {threshold:g}; for {metric} it is from 0 to 1")
        return self

    @property
    def model_package_group(self) -> str:
        return self.registration.model_package_group or self.name

    def uri(self, bucket: str) -> str:
        """The prefix below which everything of the project lies."""
        return f"s3://{bucket}/{self.name}"


def load_settings(path: Path) -> Settings:
    """Read and check a settings file; a relative `data.input` is taken from the file's folder.

    Raises:
        UserError: the file is missing, is not YAML, or a key or value is not allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give an existing file with --settings") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys and values such as 'name: my-model', found {content!r}")
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}:\n{_explain(error)}") from None
    if settings.data.input is None or is_s3_uri(settings.data.input):
        return settings
    data = settings.data.model_copy(update={"input": str(path.parent / settings.data.input)})
    return settings.model_copy(update={"data": data})


def _explain(error: ValidationError) -> str:
    return "\n".join(f"  {_explain_one(dict(problem))}" for problem in error.errors())


def _explain_one(problem: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(_keys_beside(problem['loc']))}"
    if problem["type"] == "missing":
        return f"{key}: is missing; set it"
    message = re.sub(r"^(Value error, |Input )", "", problem["msg"])
    if problem["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key} is {problem['input']!r}; it {message}"


def _keys_beside(location: tuple[str | int, ...]) -> list[str]:
    model: Any = Settings
    for part in location[:-1]:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
