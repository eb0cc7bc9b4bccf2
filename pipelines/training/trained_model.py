"""The model that Train, or the best trial of Tune, has written."""

from __future__ import annotations

from typing import TypeAlias

from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.workflow.steps import TrainingStep, TuningStep

from pipelines.training.context import TrainingContext
from pipelines.training.tune import models_uri

TrainingOrTuningStep: TypeAlias = TrainingStep | TuningStep


def model_uri(context: TrainingContext, train: TrainingOrTuningStep) -> Join | Properties:
    """Return the S3 URI of the model archive."""
    if isinstance(train, TuningStep):
        bucket, prefix = models_uri(context).removeprefix("s3://").split("/", 1)
        return train.get_top_model_s3_uri(top_k=0, s3_bucket=bucket, prefix=prefix)
    return train.properties.ModelArtifacts.S3ModelArtifacts
