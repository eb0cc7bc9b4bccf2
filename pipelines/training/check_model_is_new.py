"""Step 6, CheckModelIsNew: register a model that is good enough, unless a version of its group has the same artifact.

SageMaker does not support nested condition steps, so that this one repeats the conditions of CheckQuality.
"""

from __future__ import annotations

from collections.abc import Sequence

from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.steps import ProcessingStep, Step

from pipelines.training.check_quality import quality_conditions
from pipelines.training.context import TrainingContext
from pipelines.training.find_model_package import registered_version


def check_model_is_new_step(
    context: TrainingContext, evaluate: ProcessingStep, find_model_package: ProcessingStep, if_new: Sequence[Step]
) -> ConditionStep:
    return ConditionStep(
        name="CheckModelIsNew",
        description="Is the model good enough, and not registered already?",
        conditions=[
            *quality_conditions(context, evaluate),
            ConditionEquals(left=registered_version(find_model_package), right=0),
        ],
        if_steps=list(if_new),
        else_steps=[],
    )
