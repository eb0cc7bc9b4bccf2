"""The batch-inference pipeline's parameters: which model, which data, against which baseline."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sagemaker.core.workflow.parameters import Parameter, ParameterString

from project.settings import Settings


@dataclass(frozen=True)
class Parameters:
    """Every parameter once. The baseline is that of the model package, which describes where its files are."""

    model_package_arn: ParameterString
    input_data_uri: ParameterString
    data_quality_statistics: ParameterString
    data_quality_constraints: ParameterString
    transform_instance_type: ParameterString
    processing_instance_type: ParameterString

    @classmethod
    def of(cls, settings: Settings) -> Parameters:
        return cls(
            model_package_arn=ParameterString("ModelPackageArn"),
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

    def all(self) -> list[Parameter]:
        return [getattr(self, field.name) for field in fields(self)]
