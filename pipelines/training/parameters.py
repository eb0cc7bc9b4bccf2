"""The pipeline's parameters: what can be chosen anew for each execution, in Studio's start form or with --parameter."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sagemaker.core.workflow.parameters import (
    Parameter,
    ParameterBoolean,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)

from project.settings import Settings


@dataclass(frozen=True)
class Parameters:
    """Every parameter once; the settings give the defaults."""

    input_data_uri: ParameterString
    metric_threshold: ParameterFloat
    model_approval_status: ParameterString
    processing_instance_type: ParameterString
    processing_instance_count: ParameterInteger
    training_instance_type: ParameterString
    training_instance_count: ParameterInteger
    num_leaves: ParameterInteger
    learning_rate: ParameterFloat
    num_boost_round: ParameterInteger
    early_stopping_rounds: ParameterInteger
    skip_check: ParameterBoolean
    fail_on_violation: ParameterBoolean
    register_new_baseline: ParameterBoolean

    @classmethod
    def of(cls, settings: Settings, input_data_uri: str | None) -> Parameters:
        resources, training, check = settings.resources, settings.training, settings.baselines
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
            training_instance_type=ParameterString(
                "TrainingInstanceType", default_value=resources.training_instance_type
            ),
            training_instance_count=ParameterInteger(
                "TrainingInstanceCount", default_value=resources.training_instance_count
            ),
            num_leaves=ParameterInteger("NumLeaves", default_value=training.num_leaves),
            learning_rate=ParameterFloat("LearningRate", default_value=training.learning_rate),
            num_boost_round=ParameterInteger("NumBoostRound", default_value=training.num_boost_round),
            early_stopping_rounds=ParameterInteger("EarlyStoppingRounds", default_value=training.early_stopping_rounds),
            skip_check=ParameterBoolean("SkipQualityCheck", default_value=check.skip_check),
            fail_on_violation=ParameterBoolean("FailOnViolation", default_value=check.fail_on_violation),
            register_new_baseline=ParameterBoolean("RegisterNewBaseline", default_value=check.register_new_baseline),
        )

    def all(self) -> list[Parameter]:
        return [getattr(self, field.name) for field in fields(self)]
