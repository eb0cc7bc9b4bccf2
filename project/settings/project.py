"""The whole settings file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from project.settings.attribution import AttributionSettings
from project.settings.data import DataSettings
from project.settings.deployment import DeploymentSettings
from project.settings.fairness import FairnessSettings
from project.settings.monitoring import SECTIONS, MonitoringSettings
from project.settings.objectives import check_objective, objective_of
from project.settings.platform import CacheSettings, ImageSettings, RetrySettings, SecuritySettings
from project.settings.quality import QualitySettings
from project.settings.registration import BaselineSettings, RegistrationSettings
from project.settings.resources import ResourceSettings
from project.settings.section import ProblemType, Section
from project.settings.tracking import TrackingSettings
from project.settings.training import TrainingSettings
from project.settings.tuning import TuningSettings


class Settings(Section):
    """A project: its pipelines, its model package group and its prefix in the bucket."""

    name: str = Field(
        pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$",
        description="Name of the project, of its training pipeline and of its prefix in the bucket.",
    )
    problem_type: ProblemType = Field(description="What the model predicts.")
    data: DataSettings = Field(description="The data.")
    quality: QualitySettings = Field(description="The quality a model needs to be registered.")
    fairness: FairnessSettings | None = Field(
        default=None, description="Bias of data and predictions; without it, none is measured."
    )
    attribution: AttributionSettings | None = Field(
        default=None,
        description="Global SHAP values, the baseline of attribution drift: `attribution: {}`; without it, there are "
        "none.",
    )
    training: TrainingSettings = Field(default=TrainingSettings(), description="LightGBM parameters.")
    tuning: TuningSettings | None = Field(
        default=None, description="Search for hyperparameters; without it, one model is trained."
    )
    tracking: TrackingSettings | None = Field(
        default=None,
        description="An MLflow run for every execution: `tracking: {}`; without it, MLflow is not used.",
    )
    registration: RegistrationSettings = Field(default=RegistrationSettings(), description="The model registry.")
    baselines: BaselineSettings = Field(default=BaselineSettings(), description="The baseline steps.")
    quality_checks: Literal["model-monitor", "processing"] = Field(
        default="model-monitor",
        description="What runs the baseline steps: QualityCheck and ClarifyCheck steps (`model-monitor`), or this "
        "project's analyzer in Processing steps (`processing`) for accounts without Model Monitor and Clarify.",
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

    @model_validator(mode="before")
    @classmethod
    def _with_defaults_of_rankings(cls, values: Any) -> Any:
        """Let a ranking be split by its queries and, as there are no metrics of rankings there, monitor data alone."""
        if not isinstance(values, dict) or values.get("problem_type") != "Ranking":
            return values
        data, monitoring = values.get("data"), values.get("monitoring", {})
        if isinstance(data, dict) and not data.get("group_column"):
            raise ValueError("problem_type Ranking needs data.group_column: the column of the query of each row")
        if isinstance(data, dict) and isinstance(split := data.get("split", {}), dict):
            by_query = {"strategy": "group", "group_column": data["group_column"]}
            values = values | {"data": data | {"split": by_query | split}}
        if isinstance(monitoring, dict):
            values = values | {"monitoring": {"analyses": ["data-quality"]} | monitoring}
        return values

    @model_validator(mode="after")
    def _ranking_fits(self) -> Settings:
        query, split = self.data.group_column, self.data.split
        if self.problem_type != "Ranking":
            if query:
                raise ValueError(
                    f"data.group_column is for problem_type Ranking; for a {self.problem_type} whose groups stay "
                    "together, set data.split.strategy to group and data.split.group_column"
                )
            return self
        if split.strategy != "group" or split.group_column != query:
            raise ValueError(
                "a Ranking is split by its queries; remove data.split.strategy and data.split.group_column, or set "
                f"them to group and {query}"
            )
        if query == self.data.target_column:
            raise ValueError(f"data.group_column {query!r} is the target_column, too; name the column of the queries")
        if "model-quality" in self.monitoring.analyses:
            raise ValueError(
                "monitoring.analyses contains model-quality, which has no metrics of rankings; set it to [data-quality]"
            )
        return self

    @model_validator(mode="after")
    def _analyses_fit(self) -> Settings:
        for analysis, section in SECTIONS.items():
            if analysis in self.monitoring.analyses and getattr(self, section) is None:
                raise ValueError(
                    f"monitoring.analyses contains {analysis}, which compares with a baseline that training makes only "
                    f"with the section {section}; add the section, or remove {analysis} from monitoring.analyses"
                )
        return self

    @model_validator(mode="after")
    def _metrics_fit(self) -> Settings:
        self.quality.check(self.problem_type)
        if "pinball" in self.quality.metrics and self.training.objective != "quantile":
            raise ValueError(
                "pinball measures the quantile that a model predicts; set training.objective to quantile, and "
                "training.alpha to the quantile, or choose another metric in quality"
            )
        if self.quality.champion is not None and self.security.network_isolation:
            raise ValueError(
                "quality.champion needs the model registry, which jobs cannot call with security.network_isolation; "
                "remove one of them"
            )
        return self

    @model_validator(mode="after")
    def _feature_group_fits(self) -> Settings:
        if self.data.feature_group is not None and self.resources.engine == "spark":
            raise ValueError("data.feature_group needs resources.engine: single; set it, or remove data.feature_group")
        return self

    @model_validator(mode="after")
    def _fairness_fits(self) -> Settings:
        if self.fairness is not None:
            self.fairness.check(self.problem_type, self.data)
        for section in ("fairness", "attribution"):
            is_set = getattr(self, section) is not None
            if is_set and self.security.network_isolation and self.quality_checks == "model-monitor":
                raise ValueError(
                    f"{section} needs ClarifyCheck steps, whose jobs cannot invoke the model with "
                    "security.network_isolation; set quality_checks to processing, or remove one of them"
                )
        return self

    @model_validator(mode="after")
    def _tracking_fits(self) -> Settings:
        if self.tracking is not None and self.security.network_isolation:
            raise ValueError(
                "tracking needs MLflow, which jobs cannot call with security.network_isolation; remove one of them"
            )
        return self

    @model_validator(mode="after")
    def _tuning_fits(self) -> Settings:
        if self.tuning is None:
            return self
        self.tuning.check(self.problem_type, self.training)
        if self.resources.keep_alive_seconds:
            raise ValueError(
                "resources.keep_alive_seconds is for training jobs; tuning jobs do not take it: remove it, or tuning"
            )
        return self

    @model_validator(mode="after")
    def _objective_fits(self) -> Settings:
        training = self.training
        objective = objective_of(self.problem_type, training.objective)
        set_parameters = {name: value for name, value in training.lightgbm.items() if value not in (None, {}, [])}
        check_objective(objective, set_parameters)
        space = self.tuning.search_space(training) if self.tuning else {}
        samples = training.bagging_fraction < 1 or "bagging_fraction" in space
        if samples and training.bagging_freq == 0 and "bagging_freq" not in space:
            raise ValueError(
                "bagging_fraction has no effect without bagging_freq; set training.bagging_freq: 1, or remove "
                "bagging_fraction"
            )
        if training.class_weight == "balanced" and "Classification" not in self.problem_type:
            raise ValueError(f"training.class_weight is balanced, but a {self.problem_type} has no classes; remove it")
        if training.calibration != "none" and self.problem_type != "BinaryClassification":
            raise ValueError(f"training.calibration is for BinaryClassification, not {self.problem_type}; remove it")
        instances = self.resources.training_instance_count
        if training.folds and instances > 1:
            raise ValueError(
                f"training.folds needs one instance, but resources.training_instance_count is {instances}; change one"
            )
        return self

    @property
    def has_model_quality(self) -> bool:
        """Whether there are a model quality baseline and its monitoring: Model Monitor has no metrics of rankings."""
        return self.problem_type != "Ranking"

    @property
    def for_evaluation(self) -> dict[str, Any]:
        """The content of quality.json: what evaluate.py does not get as arguments."""
        fairness = self.fairness and self.fairness.for_evaluation(self.problem_type, self.data)
        return self.quality.for_evaluation | {"fairness": fairness}

    @property
    def model_package_group(self) -> str:
        return self.registration.model_package_group or self.name

    def uri(self, bucket: str) -> str:
        """Return the S3 prefix of the project in a bucket."""
        return f"s3://{bucket}/{self.name}"
