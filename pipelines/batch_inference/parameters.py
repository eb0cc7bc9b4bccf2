"""The parameters of the batch-inference pipeline: the model, the data and the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sagemaker.core.workflow.parameters import ParameterString

from pipelines.parameters import PipelineParameters
from project.settings import Settings


@dataclass(frozen=True)
class Parameters(PipelineParameters):
    """The parameters; the baseline is the one that the model package refers to."""

    model_package_arn: Annotated[ParameterString, "ARN of the model package that predicts."]
    model_uri: Annotated[ParameterString, "S3 URI of the model archive, by whose schema values are read."]
    input_data_uri: Annotated[ParameterString, "S3 URI of the data, as JSON lines."]
    data_quality_statistics: Annotated[ParameterString, "S3 URI of the baseline statistics of the data quality."]
    data_quality_constraints: Annotated[ParameterString, "S3 URI of the baseline constraints of the data quality."]
    transform_instance_type: Annotated[ParameterString, "Instance type of the transform job."]
    processing_instance_type: Annotated[ParameterString, "Instance type of the processing job."]

    @classmethod
    def of(cls, settings: Settings) -> Parameters:
        return cls(
            model_package_arn=ParameterString("ModelPackageArn"),
            model_uri=ParameterString("ModelUri"),
            input_data_uri=ParameterString("InputDataUri"),
            data_quality_statistics=ParameterString("DataQualityStatisticsUri"),
            data_quality_constraints=ParameterString("DataQualityConstraintsUri"),
            transform_instance_type=ParameterString(
                "TransformInstanceType", default_value=settings.registration.transform_instances[0]
            ),
            processing_instance_type=ParameterString(
                "ProcessingInstanceType", default_value=settings.resources.processing_instance_type
            ),
        )
