"""The monitoring pipeline's parameters: what is watched, against what, and when it is an alert."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sagemaker.core.workflow.parameters import (
    Parameter,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)

from project.settings import Settings

# SageMaker takes no empty string for a container's argument
NONE = ","

OF_ANALYSES = {
    "data-quality": (
        "data_quality_statistics",
        "data_quality_constraints",
        "max_drifted_share",
        "critical_features",
    ),
    "model-quality": (
        "ground_truth_uri",
        "model_quality_statistics",
        "model_quality_constraints",
        "positive_label",
        "label_delay_minutes",
        "metric_threshold",
        "max_missing_label_share",
    ),
}


@dataclass(frozen=True)
class Parameters:
    """Every parameter once. Those without a default are an endpoint's; `python -m monitoring schedule` knows them."""

    endpoint_name: ParameterString
    capture_uri: ParameterString
    ground_truth_uri: ParameterString
    data_quality_statistics: ParameterString
    data_quality_constraints: ParameterString
    model_quality_statistics: ParameterString
    model_quality_constraints: ParameterString
    positive_label: ParameterString
    window_end: ParameterString
    window_minutes: ParameterInteger
    capture_delay_minutes: ParameterInteger
    label_delay_minutes: ParameterInteger
    max_drifted_share: ParameterFloat
    critical_features: ParameterString
    metric_threshold: ParameterFloat
    max_missing_label_share: ParameterFloat
    processing_instance_type: ParameterString

    @classmethod
    def of(cls, settings: Settings) -> Parameters:
        watch = settings.monitoring
        threshold = settings.quality.threshold if watch.metric_threshold is None else watch.metric_threshold
        return cls(
            endpoint_name=ParameterString("EndpointName"),
            capture_uri=ParameterString("CaptureUri"),
            ground_truth_uri=ParameterString("GroundTruthUri"),
            data_quality_statistics=ParameterString("DataQualityStatisticsUri"),
            data_quality_constraints=ParameterString("DataQualityConstraintsUri"),
            model_quality_statistics=ParameterString("ModelQualityStatisticsUri"),
            model_quality_constraints=ParameterString("ModelQualityConstraintsUri"),
            positive_label=ParameterString("PositiveLabel", default_value="1"),
            window_end=ParameterString("WindowEnd", default_value="now"),
            window_minutes=ParameterInteger("WindowMinutes", default_value=60),
            capture_delay_minutes=ParameterInteger("CaptureDelayMinutes", default_value=watch.capture_delay_minutes),
            label_delay_minutes=ParameterInteger("LabelDelayMinutes", default_value=watch.label_delay_minutes),
            max_drifted_share=ParameterFloat("MaxDriftedShare", default_value=watch.max_drifted_share),
            critical_features=ParameterString(
                "CriticalFeatures", default_value=",".join(watch.critical_features) or NONE
            ),
            metric_threshold=ParameterFloat("MetricThreshold", default_value=threshold),
            max_missing_label_share=ParameterFloat("MaxMissingLabelShare", default_value=watch.max_missing_label_share),
            processing_instance_type=ParameterString(
                "ProcessingInstanceType", default_value=settings.resources.processing_instance_type
            ),
        )

    def used_by(self, analyses: tuple[str, ...]) -> list[Parameter]:
        """The parameters of a pipeline that makes these analyses: it asks for none that has no effect."""
        unused = {name for analysis, names in OF_ANALYSES.items() if analysis not in analyses for name in names}
        return [getattr(self, field.name) for field in fields(self) if field.name not in unused]
