"""The parameters of the monitoring pipeline: the endpoint, its baselines and the conditions for an alert."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from sagemaker.core.workflow.parameters import (
    Parameter,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)

from pipelines.parameters import PipelineParameters
from project.settings import Settings

# stands for an empty list: SageMaker does not accept an empty string as a container argument
NO_FEATURES = ","

# stands for a model without a schema, for the same reason
NO_MODEL = "none"

# parameters that only one of the analyses uses
ANALYSIS_PARAMETERS = {
    "data-quality": (
        "data_quality_statistics",
        "data_quality_constraints",
        "max_drifted_share",
        "critical_features",
    ),
    "model-quality": (
        "model_quality_statistics",
        "model_quality_constraints",
        "positive_label",
        "metric_threshold",
        "max_missing_label_share",
    ),
    "bias": ("bias_constraints", "bias_config"),
    "attribution": ("attribution_constraints", "attribution_config"),
}
# parameters that these analyses share
SHARED_PARAMETERS = {"ground_truth_uri": ("model-quality", "bias"), "label_delay_minutes": ("model-quality", "bias")}


@dataclass(frozen=True)
class Parameters(PipelineParameters):
    """The parameters; `python -m monitoring schedule` sets those without a default, which depend on the endpoint."""

    endpoint_name: Annotated[ParameterString, "Endpoint to monitor."]
    capture_uri: Annotated[ParameterString, "S3 prefix of the captured data."]
    ground_truth_uri: Annotated[ParameterString, "S3 prefix of the ground truth."]
    data_quality_statistics: Annotated[ParameterString, "S3 URI of the baseline statistics of the data quality."]
    data_quality_constraints: Annotated[ParameterString, "S3 URI of the baseline constraints of the data quality."]
    model_quality_statistics: Annotated[ParameterString, "S3 URI of the baseline statistics of the model quality."]
    model_quality_constraints: Annotated[ParameterString, "S3 URI of the baseline constraints of the model quality."]
    bias_constraints: Annotated[ParameterString, "S3 URI of the baseline of the bias metrics, an analysis.json."]
    bias_config: Annotated[ParameterString, "S3 URI of the analysis configuration of the bias metrics."]
    attribution_constraints: Annotated[ParameterString, "S3 URI of the baseline of the SHAP values, an analysis.json."]
    attribution_config: Annotated[ParameterString, "S3 URI of the analysis configuration of the SHAP values."]
    model_uri: Annotated[
        ParameterString, "S3 URI of the model archive, by whose schema values are read; none if it has no schema."
    ]
    positive_label: Annotated[ParameterString, "Positive class as it appears in the ground truth."]
    window_end: Annotated[ParameterString, 'End of the window to analyze, as an ISO 8601 time or "now".']
    window_minutes: Annotated[ParameterInteger, "Length of the window in minutes."]
    capture_delay_minutes: Annotated[ParameterInteger, "Minutes to wait for captured data after the end of the window."]
    label_delay_minutes: Annotated[ParameterInteger, "Minutes to wait for ground truth after the end of the window."]
    max_drifted_share: Annotated[ParameterFloat, "Share of drifted features above which an alert is raised."]
    critical_features: Annotated[ParameterString, "Features whose drift always raises an alert, separated by commas."]
    metric_threshold: Annotated[ParameterFloat, "Value of the metric that raises an alert when missed."]
    max_missing_label_share: Annotated[
        ParameterFloat, "Share of predictions without ground truth above which an alert is raised."
    ]
    processing_instance_type: Annotated[ParameterString, "Instance type of the processing job."]

    @classmethod
    def of(cls, settings: Settings) -> Parameters:
        monitoring = settings.monitoring
        threshold = settings.quality.threshold if monitoring.metric_threshold is None else monitoring.metric_threshold
        return cls(
            endpoint_name=ParameterString("EndpointName"),
            capture_uri=ParameterString("CaptureUri"),
            ground_truth_uri=ParameterString("GroundTruthUri"),
            data_quality_statistics=ParameterString("DataQualityStatisticsUri"),
            data_quality_constraints=ParameterString("DataQualityConstraintsUri"),
            model_quality_statistics=ParameterString("ModelQualityStatisticsUri"),
            model_quality_constraints=ParameterString("ModelQualityConstraintsUri"),
            bias_constraints=ParameterString("BiasConstraintsUri"),
            bias_config=ParameterString("BiasConfigUri"),
            attribution_constraints=ParameterString("AttributionConstraintsUri"),
            attribution_config=ParameterString("AttributionConfigUri"),
            model_uri=ParameterString("ModelUri", default_value=NO_MODEL),
            positive_label=ParameterString("PositiveLabel", default_value="1"),
            window_end=ParameterString("WindowEnd", default_value="now"),
            window_minutes=ParameterInteger("WindowMinutes", default_value=60),
            capture_delay_minutes=ParameterInteger(
                "CaptureDelayMinutes", default_value=monitoring.capture_delay_minutes
            ),
            label_delay_minutes=ParameterInteger("LabelDelayMinutes", default_value=monitoring.label_delay_minutes),
            max_drifted_share=ParameterFloat("MaxDriftedShare", default_value=monitoring.max_drifted_share),
            critical_features=ParameterString(
                "CriticalFeatures", default_value=",".join(monitoring.critical_features) or NO_FEATURES
            ),
            metric_threshold=ParameterFloat("MetricThreshold", default_value=threshold),
            max_missing_label_share=ParameterFloat(
                "MaxMissingLabelShare", default_value=monitoring.max_missing_label_share
            ),
            processing_instance_type=ParameterString(
                "ProcessingInstanceType", default_value=settings.resources.processing_instance_type
            ),
        )

    def used_by(self, analyses: tuple[str, ...]) -> list[Parameter]:
        """Return the parameters that have an effect on these analyses."""
        unused = {name for analysis, names in ANALYSIS_PARAMETERS.items() if analysis not in analyses for name in names}
        unused |= {name for name, users in SHARED_PARAMETERS.items() if not set(users) & set(analyses)}
        return [getattr(self, field.name) for field in fields(self) if field.name not in unused]
