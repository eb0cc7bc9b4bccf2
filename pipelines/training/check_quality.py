"""Step 5, CheckQuality: fail with the numbers if the model misses what the settings require of it."""

from __future__ import annotations

from collections.abc import Sequence

from sagemaker.core.workflow.conditions import (
    Condition,
    ConditionEquals,
    ConditionGreaterThanOrEqualTo,
    ConditionLessThanOrEqualTo,
)
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterFloat
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.steps import ProcessingStep, Step

from pipelines.training.context import TrainingContext
from pipelines.training.evaluate import metric_value, summary_value
from project.settings import Gate


def quality_conditions(context: TrainingContext, evaluate: ProcessingStep) -> list[Condition]:
    """Return the conditions that all must hold: a gate each, and those that Evaluate has decided by several numbers."""
    quality = context.settings.quality
    conditions = [_reaches(evaluate, quality, context.parameters.metric_threshold)]
    conditions += [_reaches(evaluate, gate, gate.threshold) for gate in quality.gates]
    fairness = context.settings.fairness
    decided = {
        "champion": quality.champion,
        "segment_gate": quality.segment_gate,
        # without limits, fairness is only measured
        "fairness": fairness if fairness and fairness.max else None,
    }
    conditions += [
        ConditionEquals(left=summary_value(evaluate, f"{name}.passes"), right=1)
        for name, setting in decided.items()
        if setting is not None
    ]
    return conditions


def _reaches(evaluate: ProcessingStep, gate: Gate, threshold: ParameterFloat | float) -> Condition:
    condition = ConditionLessThanOrEqualTo if gate.lower_is_better else ConditionGreaterThanOrEqualTo
    return condition(left=metric_value(evaluate, gate.metric, gate.judged), right=threshold)


def check_quality_step(
    context: TrainingContext,
    evaluate: ProcessingStep,
    if_good: Sequence[Step] = (),
    fail_after: Sequence[Step] = (),
) -> ConditionStep:
    """Return the step.

    Args:
        context: The context.
        evaluate: The step that has measured the model.
        if_good: Steps of a model that reaches all that is required.
        fail_after: Steps that end before the execution fails.
    """
    fail = FailStep(
        name="QualityTooLow",
        description="Fail with the numbers that the model missed",
        error_message=Join(
            on=" ", values=["The model is not registered:", summary_value(evaluate, "verdict.sentence")]
        ),
        depends_on=list(fail_after) or None,
    )
    return ConditionStep(
        name="CheckQuality",
        description="Does the model reach what is required of it on the test split?",
        conditions=quality_conditions(context, evaluate),
        if_steps=list(if_good),
        else_steps=[fail],
    )
