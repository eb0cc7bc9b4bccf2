"""Step 5, CheckQuality: fail with the metric and the threshold if the model misses it."""

from __future__ import annotations

from collections.abc import Sequence

from sagemaker.core.workflow.conditions import (
    Condition,
    ConditionGreaterThanOrEqualTo,
    ConditionLessThanOrEqualTo,
)
from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.steps import ProcessingStep, Step

from pipelines.training.context import TrainingContext
from pipelines.training.evaluate import metric_value


def is_good(context: TrainingContext, evaluate: ProcessingStep) -> Condition:
    """Return the condition that the metric on the test split reaches the threshold."""
    quality = context.settings.quality
    condition_class = ConditionLessThanOrEqualTo if quality.lower_is_better else ConditionGreaterThanOrEqualTo
    return condition_class(
        left=metric_value(evaluate, context.settings.problem_type, quality.metric),
        right=context.parameters.metric_threshold,
    )


def check_quality_step(
    context: TrainingContext, evaluate: ProcessingStep, if_good: Sequence[Step] = ()
) -> ConditionStep:
    quality, threshold = context.settings.quality, context.parameters.metric_threshold
    bound = "at most" if quality.lower_is_better else "at least"
    fail = FailStep(
        name="QualityTooLow",
        description="Fail with the metric and the threshold that it missed",
        error_message=Join(
            on=" ",
            values=[
                f"The model is not registered: {quality.metric} on the test split is",
                metric_value(evaluate, context.settings.problem_type, quality.metric),
                f"and must be {bound}",
                threshold.to_string(),
            ],
        ),
    )
    return ConditionStep(
        name="CheckQuality",
        description=f"Is {quality.metric} on the test split {bound} the threshold?",
        conditions=[is_good(context, evaluate)],
        if_steps=list(if_good),
        else_steps=[fail],
    )
