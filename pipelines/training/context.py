"""The context of the training pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from sagemaker.core.processing import Processor

from pipelines.context import PipelineContext
from pipelines.training.parameters import Parameters


@dataclass(frozen=True)
class TrainingContext(PipelineContext):
    """A pipeline context with the parameters of the training pipeline."""

    parameters: Parameters = field(kw_only=True)

    @property
    def on_spark(self) -> bool:
        """Whether Preprocess and DataQualityBaseline are PySpark steps."""
        return self.settings.resources.engine == "spark"

    def spark_processor(self, script: str, env: dict[str, str] | None = None) -> Processor:
        """Return the processor of a PySpark step, as `PySparkProcessor` would be, but with code from a bundle.

        Args:
            script: The script in the step's bundle, which also has run_spark.sh.
            env: Variables of the script.
        """
        return self.processor(
            ["/bin/bash", "/opt/ml/processing/input/code/run_spark.sh", script],
            instance_count=self.parameters.spark_instance_count,
            instance_type=self.parameters.spark_instance_type,
            env=env,
            image="spark",
        )
