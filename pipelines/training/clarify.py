"""Steps 10 to 12, DataBias, ModelBias and Explainability: Clarify's analyses of data and model.

They are the baselines that bias and attribution drift are compared with: like the quality baselines, they run after
registration, write to the URIs that the model package refers to, and are never cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagemaker.core.clarify import (
    BiasConfig,
    DataConfig,
    ModelConfig,
    ModelPredictedLabelConfig,
    SageMakerClarifyProcessor,
    SHAPConfig,
)
from sagemaker.core.shapes import ProcessingInput
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.workflow.clarify_check_step import (
    ClarifyCheckConfig,
    ClarifyCheckStep,
    DataBiasCheckConfig,
    ModelBiasCheckConfig,
    ModelExplainabilityCheckConfig,
)
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.steps import ProcessingStep, Step

from pipelines.bundles import clarify_check_bundle
from pipelines.clarify_configs import (
    BIAS_MONITORING,
    DATA_BIAS,
    EXPLAINABILITY,
    EXPLAINABILITY_MONITORING,
    MODEL_BIAS,
    clarify_configs,
)
from pipelines.context import output_of, processing_input, processing_output
from pipelines.training.baselines import baseline_uri
from pipelines.training.check_jobs import JsonNetwork, check_arguments, check_job
from pipelines.training.context import TrainingContext
from pipelines.training.preprocess import FACETS
from pipelines.training.register_model import clarify_config_uri, model_builder
from pipelines.training.trained_model import TrainingOrTuningStep, model_uri


@dataclass(frozen=True)
class _Analysis:
    """An analysis by Clarify.

    Attributes:
        kind: DATA_BIAS, MODEL_BIAS or EXPLAINABILITY.
        step: The name of its step.
        dataset: The output of Preprocess that it reads, and a file in it; None for all of its files.
        own_dataset: The same for the Processing step of this project's analyzer, which is faster.
        monitoring: The configuration by which monitoring compares with it.
    """

    kind: str
    step: str
    description: str
    dataset: tuple[str, str | None]
    own_dataset: tuple[str, str | None]
    monitoring: str


FACET_ROWS, RECORDS, SAMPLE = (FACETS, None), ("records", None), ("schema", "test_sample.parquet")
ANALYSES = (
    _Analysis(DATA_BIAS, "DataBias", "Measure bias in the training data", FACET_ROWS, FACET_ROWS, BIAS_MONITORING),
    _Analysis(MODEL_BIAS, "ModelBias", "Measure bias in the test predictions", RECORDS, RECORDS, BIAS_MONITORING),
    _Analysis(
        EXPLAINABILITY,
        "Explainability",
        "Measure how much each feature contributes to the test predictions",
        SAMPLE,
        RECORDS,
        EXPLAINABILITY_MONITORING,
    ),
)


def clarify_steps(
    context: TrainingContext, preprocess: ProcessingStep, train: TrainingOrTuningStep, after: ModelStep
) -> list[Step]:
    """Return the steps of the analyses: ClarifyCheck steps, or Processing steps with the same outputs.

    ClarifyCheck steps invoke the model at a temporary endpoint, for which CreateModel creates it.
    """
    settings = context.settings
    analyses = [analysis for analysis in ANALYSES if analysis.kind in clarify_configs(settings)]
    if settings.quality_checks == "processing":
        return [_processing_step(context, analysis, preprocess, train, after) for analysis in analyses]
    if not analyses:
        return []
    create_model = _create_model_step(context, train, after)
    checks = [_clarify_check_step(context, analysis, preprocess, create_model, after) for analysis in analyses]
    return [create_model, *checks]


def _create_model_step(context: TrainingContext, train: TrainingOrTuningStep, after: ModelStep) -> ModelStep:
    model = model_builder(context, train)
    if context.settings.security.subnets:
        security = context.settings.security
        model.vpc_config = {
            "Subnets": list(security.subnets),
            "SecurityGroupIds": list(security.security_group_ids),
        }
    return ModelStep(
        name="CreateModel",
        description="Create the model that the Clarify steps invoke at a temporary endpoint",
        step_args=model.build(),
        depends_on=[after],
        retry_policies=context.step_retries,
    )


def _dataset_uri(preprocess: ProcessingStep, output: str, file: str | None) -> object:
    uri = output_of(preprocess, output)
    return uri if file is None else Join(on="/", values=[uri, file])


def _processing_step(
    context: TrainingContext,
    analysis: _Analysis,
    preprocess: ProcessingStep,
    train: TrainingOrTuningStep,
    after: ModelStep,
) -> ProcessingStep:
    processor = context.processor(["/bin/bash", "/opt/ml/processing/input/code/run.sh", "clarify_check.py"])
    output = processing_output("analysis_result", baseline_uri(context, analysis.kind))
    output.s3_output.local_path = SageMakerClarifyProcessor._CLARIFY_OUTPUT
    model = [] if analysis.kind == DATA_BIAS else [processing_input("model", model_uri(context, train))]
    return ProcessingStep(
        name=analysis.step,
        description=analysis.description,
        step_args=processor.run(
            inputs=[
                processing_input("config", clarify_config_uri(context, analysis.kind)),
                processing_input("data", _dataset_uri(preprocess, *analysis.own_dataset)),
                *model,
                processing_input("code", clarify_check_bundle().uri(context.code_uri)),
            ],
            outputs=[output],
            arguments=[
                "--analysis",
                analysis.kind,
                "--metric-tolerance",
                f"{context.settings.monitoring.metric_tolerance:g}",
                *check_arguments(context),
            ],
        ),
        depends_on=[after],
        retry_policies=context.job_retries,
    )


def _clarify_check_step(
    context: TrainingContext,
    analysis: _Analysis,
    preprocess: ProcessingStep,
    create_model: ModelStep,
    after: ModelStep,
) -> ClarifyCheckStep:
    parameters = context.parameters
    dataset, output = _dataset_uri(preprocess, *analysis.dataset), baseline_uri(context, analysis.kind)
    config = clarify_configs(context.settings)[analysis.kind]
    return _ClarifyCheckStep(
        config_uris=(clarify_config_uri(context, analysis.kind), clarify_config_uri(context, analysis.monitoring)),
        name=analysis.step,
        description=analysis.description,
        clarify_check_config=check_config(analysis.kind, config, dataset, output, create_model.properties.ModelName),
        check_job_config=check_job(context, 1),
        skip_check=parameters.skip_check,
        fail_on_violation=parameters.fail_on_violation,
        register_new_baseline=parameters.register_new_baseline,
        model_package_group_name=context.settings.model_package_group,
        depends_on=[after] if analysis.kind == DATA_BIAS else [create_model],
    )


def check_config(
    kind: str, config: dict[str, Any], dataset: object, output: Join, model_name: Properties
) -> ClarifyCheckConfig:
    """Return an analysis configuration as the SDK's classes, which refer to the model of the execution."""
    data = DataConfig(
        s3_data_input_path=dataset,
        s3_output_path=output,
        # it is in the bundle; the SDK needs an URI that is not a reference
        s3_analysis_config_output_path="s3://unused",
        label=config.get("label"),
        dataset_type=config["dataset_type"],
        excluded_columns=config.get("excluded_columns"),
    )
    methods = config["methods"]
    if kind == EXPLAINABILITY:
        return ModelExplainabilityCheckConfig(
            data_config=data,
            model_config=_model_config(config, model_name),
            explainability_config=SHAPConfig(**methods["shap"]),
            model_scores=config["predictor"]["label"],
        )
    bias = BiasConfig(
        label_values_or_threshold=config["label_values_or_threshold"],
        facet_name=[facet["name_or_index"] for facet in config["facet"]],
        facet_values_or_threshold=[facet.get("value_or_threshold") for facet in config["facet"]],
        group_name=config.get("group_variable"),
    )
    if kind == DATA_BIAS:
        return DataBiasCheckConfig(
            data_config=data, data_bias_config=bias, methods=methods["pre_training_bias"]["methods"]
        )
    return ModelBiasCheckConfig(
        data_config=data,
        data_bias_config=bias,
        model_config=_model_config(config, model_name),
        model_predicted_label_config=ModelPredictedLabelConfig(label=config["predictor"]["label"]),
        methods=methods["post_training_bias"]["methods"],
    )


def _model_config(config: dict[str, Any], model_name: Properties) -> ModelConfig:
    predictor = config["predictor"]
    return ModelConfig(
        model_name=model_name,
        instance_count=predictor["initial_instance_count"],
        instance_type=predictor["instance_type"],
        accept_type=predictor["accept_type"],
        content_type=predictor["content_type"],
    )


class _ClarifyCheckStep(JsonNetwork, ClarifyCheckStep):
    """A ClarifyCheck step whose configurations are in a code bundle.

    The SDK uploads them while it builds the definition, to a key with the current time.
    """

    def __init__(self, config_uris: tuple[str, str], **arguments: Any) -> None:
        self._config_uris = config_uris
        super().__init__(**arguments)

    def _upload_monitoring_analysis_config(self) -> str:
        return self._config_uris[1]

    def _generate_processing_job_parameters(self, analysis_config: object, processor: object) -> dict[str, Any]:
        config = ProcessingInput(
            input_name="analysis_config",
            s3_input={
                "s3_uri": self._config_uris[0],
                "local_path": SageMakerClarifyProcessor._CLARIFY_CONFIG_INPUT,
                "s3_data_type": "S3Prefix",
                "s3_input_mode": "File",
            },
        )
        data_config = self.clarify_check_config.data_config
        dataset = processing_input("dataset", data_config.s3_data_input_path)
        dataset.s3_input.local_path = SageMakerClarifyProcessor._CLARIFY_DATA_INPUT
        output = processing_output("analysis_result", data_config.s3_output_path)
        output.s3_output.local_path = SageMakerClarifyProcessor._CLARIFY_OUTPUT
        return {"config_input": config, "data_input": dataset, "result_output": output}
