"""The settings of a project: one YAML file, validated before anything is built or sent.

A minimal file names the project, the problem type, the data and the required quality:

    name: churn
    problem_type: BinaryClassification
    data:
      input: data.csv            # a path relative to this file, or an s3:// URI
      target_column: churned
    quality:
      metric: auc
      threshold: 0.85

All other settings have defaults. The descriptions of the fields are the source of the settings reference.
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

# Model Monitor's metric names
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
    """How rows are split into train, validation and test; the three shares add up to 1."""

    strategy: Literal["random", "time", "group"] = Field(
        default="random",
        description="How rows are assigned to splits: `random` (stratified by class), `time` (the newest rows are the "
        "test split) or `group` (rows of a group stay together).",
    )
    time_column: str | None = Field(
        default=None, description="Column to order rows by, for strategy `time`; not a feature."
    )
    group_column: str | None = Field(
        default=None, description="Column of the groups, for strategy `group`; not a feature."
    )
    train: Share = Field(default=0.7, description="Share of the rows to train on.")
    validation: Share = Field(default=0.1, description="Share of the rows for early stopping.")
    test: Share = Field(default=0.2, description="Share of the rows for the evaluation.")

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
    """Requirements that the data must meet before a model is trained."""

    min_rows: int = Field(default=50, ge=10, description="Minimum number of rows; fewer are an error.")
    max_missing_share: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="Highest share of missing values that a column may have; more is an error.",
    )
    outlier_z_score: float = Field(
        default=8.0, gt=0, description="Robust z-score from which a value is reported as an outlier."
    )


class CsvSettings(_Section):
    """How CSV files are written."""

    separator: str = Field(
        default=",", description='Character between the fields: one of ASCII, such as `";"` or `"\\t"` (a tab).'
    )
    decimal: Literal[".", ","] = Field(default=".", description="Decimal mark of numbers.")
    encoding: str = Field(
        default="utf-8", description="Encoding, by its name in Python, such as `latin-1`, `cp1252` or `utf-16`."
    )

    @field_validator("separator")
    @classmethod
    def _one_character(cls, separator: str) -> str:
        if len(separator) != 1 or not separator.isascii() or separator.isalnum() or separator in '"\r\n\0.+-':
            raise ValueError(f"it must be one ASCII character such as ';', found {separator!r}")
        return separator

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError(f"Python has no text encoding {encoding!r}; use one such as latin-1") from None
        return encoding


class DataSettings(_Section):
    """Location of the data and meaning of its columns."""

    input: str | None = Field(
        default=None,
        description="CSV, JSON lines or Parquet data: a file or folder relative to the settings file, or an s3:// URI; "
        "a name that ends in `.manifest` is a manifest of S3 objects. Without it, every execution needs `--input` or "
        "the parameter InputDataUri.",
    )
    csv: CsvSettings = Field(default=CsvSettings(), description="Format of CSV files.")
    target_column: str = Field(description="Column to predict.")
    positive_class: str | int | None = Field(
        default=None,
        description="Class whose probability a binary model predicts; by default the last of the two in sorted order.",
    )
    drop_columns: tuple[str, ...] = Field(default=(), description="Columns that are not features, such as identifiers.")
    categorical_columns: tuple[str, ...] = Field(
        default=(), description="Columns to treat as categories, besides text and booleans."
    )
    duplicates: Literal["keep", "drop", "error"] = Field(
        default="keep",
        description="Rows that equal an earlier row in all columns: `keep` them, `drop` them, or fail with an `error`; "
        "the validation report says how many there are and what dropping does to the target.",
    )
    split: SplitSettings = Field(default=SplitSettings(), description="Train, validation and test splits.")
    validation: ValidationSettings = Field(default=ValidationSettings(), description="Requirements for the data.")

    @field_validator("positive_class", mode="before")
    @classmethod
    def _not_a_boolean(cls, value: object) -> object:
        # YAML reads a bare yes, no, on or off as a boolean, which matches no text in a column
        if isinstance(value, bool):
            raise ValueError(f"YAML reads it as the boolean {value}; put the class in quotes, spelled as in the data")
        return value


class TrainingSettings(_Section):
    """LightGBM parameters, under their LightGBM names."""

    num_leaves: int = Field(default=31, ge=2, le=131072, description="Maximum number of leaves per tree.")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="Shrinkage rate of each boosting round.")
    num_boost_round: int = Field(default=500, ge=1, le=100000, description="Maximum number of boosting rounds.")
    early_stopping_rounds: int = Field(
        default=50,
        ge=0,
        le=10000,
        description="Rounds without improvement on the validation split before training stops; 0 "
        "disables early stopping.",
    )
    max_depth: int = Field(default=-1, ge=-1, description="Maximum depth of a tree; -1 for no limit.")
    min_data_in_leaf: int = Field(default=20, ge=0, description="Minimum number of rows per leaf.")
    feature_fraction: float = Field(default=1.0, gt=0, le=1, description="Share of the features sampled for each tree.")
    bagging_fraction: float = Field(default=1.0, gt=0, le=1, description="Share of the rows sampled for bagging.")
    bagging_freq: int = Field(default=0, ge=0, description="Rounds between two bagging samples; 0 disables bagging.")
    lambda_l1: float = Field(default=0.0, ge=0, description="L1 regularization.")
    lambda_l2: float = Field(default=0.0, ge=0, description="L2 regularization.")
    class_weight: Literal["none", "balanced"] = Field(
        default="none", description="`balanced` weights rows inversely to the frequency of their class."
    )
    seed: int = Field(default=42, ge=0, lt=2**31, description="Random seed of the split and the training.")


class QualitySettings(_Section):
    """The test metric that decides whether a model is registered."""

    metric: str = Field(description="Metric on the test split, by Model Monitor's name; see the table of metrics.")
    threshold: float = Field(description="Value the metric must reach: a minimum, or for rmse, mae and mse a maximum.")

    @property
    def lower_is_better(self) -> bool:
        return self.metric in LOWER_IS_BETTER


class RegistrationSettings(_Section):
    """How models are registered in the model registry."""

    model_package_group: str | None = Field(
        default=None, description="Model package group of the models; by default the project's name."
    )
    approval_status: ApprovalStatus = Field(
        default="PendingManualApproval", description="Approval status of newly registered models."
    )
    inference_instances: tuple[InstanceType, ...] = Field(
        default=("ml.t2.medium", "ml.m5.large", "ml.m5.xlarge"),
        min_length=1,
        description="Instance types that a model package recommends for real-time inference.",
    )
    transform_instances: tuple[InstanceType, ...] = Field(
        default=("ml.m5.large", "ml.m5.xlarge"),
        min_length=1,
        description="Instance types that a model package recommends for batch transform; batch inference uses the "
        "first.",
    )


class BaselineSettings(_Section):
    """Defaults of the baseline steps' switches, as QualityCheck steps define them."""

    skip_check: bool = Field(
        default=True, description="Skip the comparison with the baseline of the latest approved model package."
    )
    fail_on_violation: bool = Field(default=False, description="Fail the step when the comparison finds violations.")
    register_new_baseline: bool = Field(
        default=True, description="Use the newly calculated baseline as the baseline for drift checks."
    )


class ResourceSettings(_Section):
    """Instances and time limits of the jobs."""

    engine: Literal["single", "spark"] = Field(
        default="single",
        description="What runs Preprocess and DataQualityBaseline: one instance (`single`), or a Spark cluster, for "
        "tables that one instance does not hold (`spark`).",
    )
    spark_instance_type: InstanceType = Field(
        default="ml.m5.2xlarge", description="With `engine: spark`, instance type of the PySpark steps."
    )
    spark_instance_count: int = Field(
        default=2, ge=1, le=100, description="With `engine: spark`, number of instances of the PySpark steps."
    )
    processing_instance_type: InstanceType = Field(
        default="ml.m5.xlarge", description="Instance type of processing jobs."
    )
    processing_instance_count: int = Field(
        default=1, ge=1, le=20, description="Number of instances of the baseline jobs; other processing jobs use one."
    )
    training_instance_type: InstanceType = Field(
        default="ml.m5.xlarge", description="Instance type of the training job."
    )
    training_instance_count: int = Field(
        default=1, ge=1, le=20, description="Number of instances of the training job; more than one trains in parallel."
    )
    volume_size_in_gb: int = Field(
        default=30, ge=1, le=16384, description="Size of the storage volume of each instance."
    )
    processing_max_runtime_in_seconds: Seconds = Field(default=3600, description="Time limit of processing jobs.")
    training_max_runtime_in_seconds: Seconds = Field(default=3 * 3600, description="Time limit of the training job.")
    use_spot: bool = Field(
        default=False,
        description="Train on spot instances. An interrupted job goes on after its last checkpoint.",
    )
    max_wait_in_seconds: Seconds | None = Field(
        default=None,
        description="With `use_spot`, time limit of the training job including the wait for instances (default: twice "
        "`training_max_runtime_in_seconds`).",
    )
    keep_alive_seconds: int = Field(
        default=0,
        ge=0,
        le=3600,
        description="How long the training instances are kept, and paid for, for the next job (a warm pool).",
    )

    @model_validator(mode="after")
    def _consistent(self) -> ResourceSettings:
        if self.engine != "spark":
            for name in sorted({"spark_instance_type", "spark_instance_count"} & self.model_fields_set):
                raise ValueError(f"{name} is for the Spark engine; set engine to spark, or remove {name}")
        if self.use_spot and self.keep_alive_seconds:
            raise ValueError("use_spot and keep_alive_seconds exclude each other: SageMaker keeps no spot instances")
        if self.max_wait_in_seconds is not None:
            if not self.use_spot:
                raise ValueError("max_wait_in_seconds is for spot instances; set use_spot to true, or remove it")
            if self.max_wait_in_seconds < self.training_max_runtime_in_seconds:
                raise ValueError(
                    f"max_wait_in_seconds is {self.max_wait_in_seconds}; it must be at least "
                    f"training_max_runtime_in_seconds ({self.training_max_runtime_in_seconds})"
                )
        return self

    @property
    def longest_wait_in_seconds(self) -> int | None:
        """The time limit of the training job including the wait for spot instances; None without these."""
        if not self.use_spot:
            return None
        return self.max_wait_in_seconds or 2 * self.training_max_runtime_in_seconds


class UpdateSettings(_Section):
    """Blue/green updates of an endpoint: traffic shifting, and the alarms that roll an update back."""

    traffic: Literal["canary", "linear", "all-at-once"] = Field(
        default="canary",
        description="How traffic shifts to the new fleet; a single instance allows only `all-at-once`.",
    )
    # SageMaker accepts steps of 10 to 50 % of the new fleet
    step_percentage: int = Field(
        default=10, ge=10, le=50, description="Size of the canary, or of each linear step, in %."
    )
    # with ten linear steps of it, a deployment stays below SageMaker's limit of eight hours
    wait_seconds: int = Field(
        default=300, ge=0, le=1800, description="Baking period after each step, during which alarms are evaluated."
    )
    max_5xx_errors_per_minute: int = Field(
        default=0, ge=0, description="Number of 5xx errors per minute above which an update is rolled back."
    )
    max_latency_in_milliseconds: int = Field(
        default=1000, ge=1, description="Average model latency above which an update is rolled back."
    )


class ServerlessSettings(_Section):
    """Size of a serverless endpoint."""

    memory_in_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = Field(
        default=2048, description="Memory of the endpoint."
    )
    max_concurrency: int = Field(default=5, ge=1, le=200, description="Maximum number of concurrent invocations.")


class DeploymentSettings(_Section):
    """Endpoints of approved model packages.

    An endpoint scales between the two instance counts; where they are equal, autoscaling is off.
    """

    instance_type: InstanceType = Field(
        default="ml.m5.large", description="Instance type of real-time endpoints and batch transform jobs."
    )
    instance_count: int = Field(default=1, ge=1, description="Initial and minimum number of instances.")
    max_instance_count: int = Field(default=2, ge=1, description="Maximum number of instances for autoscaling.")
    invocations_per_instance: int = Field(
        default=1000, ge=1, description="Invocations per instance and minute that autoscaling aims at."
    )
    capture_percentage: int = Field(
        default=100, ge=0, le=100, description="Percentage of requests that are captured; 0 disables data capture."
    )
    unknown_features: Literal["refuse", "ignore"] = Field(
        default="refuse",
        description="How requests with unknown features are handled: `refuse` answers 400, `ignore` drops them.",
    )
    update: UpdateSettings = Field(default=UpdateSettings(), description="Blue/green updates.")
    serverless: ServerlessSettings = Field(default=ServerlessSettings(), description="Serverless endpoints.")

    @model_validator(mode="after")
    def _consistent(self) -> DeploymentSettings:
        if self.max_instance_count < self.instance_count:
            raise ValueError(
                f"max_instance_count is {self.max_instance_count}; it must be at least instance_count "
                f"({self.instance_count})"
            )
        if self.autoscaling and re.match(r"ml\.t\d", self.instance_type):
            raise ValueError(
                f"SageMaker does not scale the burstable {self.instance_type}; "
                "set max_instance_count to instance_count, or choose another instance_type"
            )
        return self

    @property
    def autoscaling(self) -> bool:
        return self.max_instance_count > self.instance_count


class MonitoringSettings(_Section):
    """Analyses of an endpoint's captured data, and the conditions for an alert."""

    analyses: tuple[Literal["data-quality", "model-quality"], ...] = Field(
        default=("data-quality", "model-quality"), min_length=1, description="Analyses of the monitoring pipeline."
    )
    max_drifted_share: float = Field(
        default=0.2, ge=0, le=1, description="Share of drifted features above which an alert is raised."
    )
    critical_features: tuple[str, ...] = Field(default=(), description="Features whose drift always raises an alert.")
    metric_threshold: float | None = Field(
        default=None,
        description="Value of quality.metric that raises an alert when missed; by default quality.threshold.",
    )
    max_missing_label_share: float = Field(
        default=0.9, ge=0, le=1, description="Share of predictions without ground truth above which an alert is raised."
    )
    record_tolerance: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of the records that may lack a value that the baseline has, be of another type or have an "
        "unknown category, before that is a violation.",
    )
    metric_tolerance: float = Field(
        default=2.5,
        ge=0,
        le=10,
        description="Standard errors by which a metric may be worse than in the baseline, before that is a violation; "
        "0 tolerates nothing.",
    )
    labels_per_window: int = Field(
        default=500, ge=1, description="Usual number of labels in a window, from which the standard errors follow."
    )
    leave_out_test_requests: bool = Field(
        default=True,
        description="Leave out requests that are marked as tests by the custom attribute `test-request`.",
    )
    # SageMaker uploads captured data some minutes after the inferences, and labels arrive later still
    capture_delay_minutes: int = Field(
        default=5, ge=0, le=60, description="Minutes to wait for captured data after the end of a window."
    )
    label_delay_minutes: int = Field(
        default=60, ge=0, description="Minutes to wait for ground truth after the end of a window."
    )


class ImageSettings(_Section):
    """Container images; an image URI replaces SageMaker's scikit-learn or Spark image."""

    scikit_learn_version: str = Field(default="1.9-0", description="Version of SageMaker's scikit-learn image.")
    processing: str | None = Field(default=None, description="Image URI for processing jobs.")
    spark: str | None = Field(
        default=None,
        description="Image URI for PySpark steps, with Python 3.11 or newer; it is run by `smspark-submit`.",
    )
    training: str | None = Field(default=None, description="Image URI for the training job.")
    inference: str | None = Field(default=None, description="Image URI for endpoints and batch transform.")


class SecuritySettings(_Section):
    """Encryption and network of all jobs and endpoints.

    Containers in an isolated network cannot install LightGBM: set `images` to images that contain it.
    """

    kms_key: str | None = Field(
        default=None, description="KMS key for objects in S3 and for storage volumes; by default S3's own encryption."
    )
    subnets: tuple[str, ...] = Field(default=(), description="VPC subnets of jobs and endpoints.")
    security_group_ids: tuple[str, ...] = Field(default=(), description="VPC security groups; required with subnets.")
    network_isolation: bool = Field(default=False, description="Run containers without network access.")
    encrypt_inter_container_traffic: bool = Field(
        default=False, description="Encrypt traffic between the instances of a job."
    )

    @property
    def object_encryption(self) -> dict[str, str]:
        """Encryption arguments for S3's PutObject and for uploads."""
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key} if self.kms_key else {}

    @model_validator(mode="after")
    def _consistent(self) -> SecuritySettings:
        if bool(self.subnets) != bool(self.security_group_ids):
            raise ValueError("subnets and security_group_ids go together; set both or neither")
        return self


class CacheSettings(_Section):
    """Reuse of the results of earlier executions."""

    enabled: bool = Field(
        default=True, description="Reuse the result of a step with unchanged code, inputs and arguments."
    )
    expire_after: str = Field(
        default="P30D",
        pattern=r"^P((\d+[YMWD])+(T(\d+[HM])+)?|T(\d+[HM])+)$",
        description="Age, as an ISO 8601 duration, from which results are not reused.",
    )


class RetrySettings(_Section):
    """Retries after throttling and internal errors of the service."""

    max_attempts: int = Field(default=3, ge=1, le=20, description="Maximum number of retries.")
    interval_seconds: int = Field(default=10, ge=1, le=3600, description="Seconds before the first retry.")
    backoff_rate: float = Field(
        default=2.0, ge=1, le=10, description="Factor by which the interval grows with every retry."
    )


class Settings(_Section):
    """A project: its pipelines, its model package group and its prefix in the bucket."""

    name: str = Field(
        pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$",
        description="Name of the project, of its training pipeline and of its prefix in the bucket.",
    )
    problem_type: ProblemType = Field(description="What the model predicts.")
    data: DataSettings = Field(description="The data.")
    quality: QualitySettings = Field(description="The quality a model needs to be registered.")
    training: TrainingSettings = Field(default=TrainingSettings(), description="LightGBM parameters.")
    registration: RegistrationSettings = Field(default=RegistrationSettings(), description="The model registry.")
    baselines: BaselineSettings = Field(default=BaselineSettings(), description="The baseline steps.")
    quality_checks: Literal["model-monitor", "processing"] = Field(
        default="model-monitor",
        description="What runs the baseline steps: QualityCheck steps (`model-monitor`), or this project's analyzer in "
        "Processing steps (`processing`) for accounts without Model Monitor.",
    )
    resources: ResourceSettings = Field(default=ResourceSettings(), description="Instances and time limits.")
    deployment: DeploymentSettings = Field(default=DeploymentSettings(), description="Endpoints.")
    monitoring: MonitoringSettings = Field(default=MonitoringSettings(), description="Monitoring of endpoints.")
    images: ImageSettings = Field(default=ImageSettings(), description="Container images.")
    security: SecuritySettings = Field(default=SecuritySettings(), description="Encryption and network.")
    cache: CacheSettings = Field(default=CacheSettings(), description="Step caching.")
    retry: RetrySettings = Field(default=RetrySettings(), description="Retry policies of the steps.")
    tags: dict[str, str] = Field(default={}, description="Tags of the pipelines, their jobs and the endpoints.")

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
            raise ValueError(
                f"quality.metric is {metric!r}; for {self.problem_type} it must be one of {', '.join(allowed)}"
            )
        if metric in LOWER_IS_BETTER:
            if threshold <= 0:
                raise ValueError(f"quality.threshold is {threshold:g}; for {metric} it must be greater than 0")
        elif metric == "r2":
            if threshold > 1:
                raise ValueError(f"quality.threshold is {threshold:g}; for r2 it must be at most 1")
        elif not 0 <= threshold <= 1:
            raise ValueError(f"quality.threshold is {threshold:g}; for {metric} it must be between 0 and 1")
        return self

    @property
    def model_package_group(self) -> str:
        return self.registration.model_package_group or self.name

    def uri(self, bucket: str) -> str:
        """Return the S3 prefix of the project in a bucket."""
        return f"s3://{bucket}/{self.name}"


def load_settings(path: Path) -> Settings:
    """Read and validate a settings file; a relative `data.input` is resolved against the file's folder.

    Raises:
        UserError: The file is missing or not YAML, or a key or value is not allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give an existing file with --settings") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
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
    return "\n".join(f"  {_explain_problem(dict(problem))}" for problem in error.errors())


def _explain_problem(problem: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(_allowed_keys(problem['loc']))}"
    if problem["type"] == "missing":
        return f"{key}: required, but missing; add it"
    message = re.sub(r"^(Value error, |Input )", "", problem["msg"])
    if problem["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key} is {problem['input']!r}; it {message}"


def _allowed_keys(location: tuple[str | int, ...]) -> list[str]:
    section: Any = Settings
    for part in location[:-1]:
        section = section.model_fields[part].annotation
    return list(section.model_fields)
