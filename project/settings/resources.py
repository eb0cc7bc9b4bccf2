"""The section `resources`: instances and time limits of the jobs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from project.settings.section import InstanceType, Seconds, Section


class ResourceSettings(Section):
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
        description="Train on spot instances. An interrupted job resumes from its last checkpoint.",
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
