"""The parameters of the training pipeline: values that each execution can set, in Studio or with --parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sagemaker.core.workflow.parameters import (
    ParameterBoolean,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)

from pipelines.parameters import PipelineParameters
from project.settings import Settings


@dataclass(frozen=True)
class Parameters(PipelineParameters):
    """The parameters; their defaults come from the settings."""

    input_data_uri: Annotated[
        ParameterString, "S3 URI of the data: a CSV, JSON lines or Parquet file, or a prefix of such files."
    ]
    metric_threshold: Annotated[ParameterFloat, "Value of the test metric that a model must reach to be registered."]
    model_approval_status: Annotated[ParameterString, "Approval status of the model package."]
    processing_instance_type: Annotated[ParameterString, "Instance type of the processing jobs."]
    processing_instance_count: Annotated[ParameterInteger, "Number of instances of the baseline jobs."]
    spark_instance_type: Annotated[
        ParameterString | None, "Instance type of the PySpark steps; only with `resources.engine: spark`."
    ]
    spark_instance_count: Annotated[
        ParameterInteger | None, "Number of instances of the PySpark steps; only with `resources.engine: spark`."
    ]
    training_instance_type: Annotated[ParameterString, "Instance type of the training job."]
    training_instance_count: Annotated[ParameterInteger, "Number of instances of the training job."]
    num_leaves: Annotated[ParameterInteger | None, "Maximum number of leaves per tree; only if it is not tuned."]
    learning_rate: Annotated[ParameterFloat | None, "Shrinkage rate of each boosting round; only if it is not tuned."]
    num_boost_round: Annotated[ParameterInteger | None, "Maximum number of boosting rounds; only if it is not tuned."]
    early_stopping_rounds: Annotated[
        ParameterInteger | None,
        "Rounds without improvement before training stops, 0 disables early stopping; only if it is not tuned.",
    ]
    max_tuning_jobs: Annotated[
        ParameterInteger | None, "Number of trials of the tuning job; only with `tuning`, and not for a grid."
    ]
    max_parallel_tuning_jobs: Annotated[
        ParameterInteger | None, "Number of trials that run at the same time; only with `tuning`."
    ]
    skip_check: Annotated[
        ParameterBoolean, "Skip the comparison with the baseline of the latest approved model package."
    ]
    fail_on_violation: Annotated[ParameterBoolean, "Fail the baseline steps when the comparison finds violations."]
    register_new_baseline: Annotated[
        ParameterBoolean, "Use the newly calculated baseline as the baseline for drift checks."
    ]

    @classmethod
    def of(cls, settings: Settings, input_data_uri: str | None) -> Parameters:
        resources, training, check = settings.resources, settings.training, settings.baselines
        on_spark, tuning = resources.engine == "spark", settings.tuning
        tuned = tuning.search_space(training) if tuning else {}
        return cls(
            input_data_uri=ParameterString("InputDataUri", default_value=input_data_uri),
            metric_threshold=ParameterFloat("MetricThreshold", default_value=settings.quality.threshold),
            model_approval_status=ParameterString(
                "ModelApprovalStatus",
                default_value=settings.registration.approval_status,
                enum_values=["PendingManualApproval", "Approved", "Rejected"],
            ),
            processing_instance_type=ParameterString(
                "ProcessingInstanceType", default_value=resources.processing_instance_type
            ),
            processing_instance_count=ParameterInteger(
                "ProcessingInstanceCount", default_value=resources.processing_instance_count
            ),
            spark_instance_type=ParameterString("SparkInstanceType", default_value=resources.spark_instance_type)
            if on_spark
            else None,
            spark_instance_count=ParameterInteger("SparkInstanceCount", default_value=resources.spark_instance_count)
            if on_spark
            else None,
            training_instance_type=ParameterString(
                "TrainingInstanceType", default_value=resources.training_instance_type
            ),
            training_instance_count=ParameterInteger(
                "TrainingInstanceCount", default_value=resources.training_instance_count
            ),
            num_leaves=ParameterInteger("NumLeaves", default_value=training.num_leaves)
            if "num_leaves" not in tuned
            else None,
            learning_rate=ParameterFloat("LearningRate", default_value=training.learning_rate)
            if "learning_rate" not in tuned
            else None,
            num_boost_round=ParameterInteger("NumBoostRound", default_value=training.num_boost_round)
            if "num_boost_round" not in tuned
            else None,
            early_stopping_rounds=ParameterInteger("EarlyStoppingRounds", default_value=training.early_stopping_rounds)
            if "early_stopping_rounds" not in tuned
            else None,
            max_tuning_jobs=ParameterInteger("MaxTuningJobs", default_value=tuning.number_of_jobs)
            if tuning and tuning.strategy != "Grid"
            else None,
            max_parallel_tuning_jobs=ParameterInteger("MaxParallelTuningJobs", default_value=tuning.max_parallel_jobs)
            if tuning
            else None,
            skip_check=ParameterBoolean("SkipQualityCheck", default_value=check.skip_check),
            fail_on_violation=ParameterBoolean("FailOnViolation", default_value=check.fail_on_violation),
            register_new_baseline=ParameterBoolean("RegisterNewBaseline", default_value=check.register_new_baseline),
        )
