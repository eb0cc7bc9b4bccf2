"""The steps CreateModel and Transform: predict every line of the data with a model package."""

from __future__ import annotations

from types import SimpleNamespace

from sagemaker.core.inputs import BatchDataCaptureConfig
from sagemaker.core.transformer import Transformer
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.steps import TransformStep

from pipelines.batch_inference.parameters import Parameters
from pipelines.context import PipelineContext

MAX_PAYLOAD_IN_MB = 6


def create_model_step(context: PipelineContext, parameters: Parameters) -> ModelStep:
    security = context.settings.security
    container = {"ModelPackageName": parameters.model_package_arn}
    if context.settings.deployment.unknown_features == "ignore":
        # As at the endpoint: captured records have the columns of fairness, which the model does not know.
        container["Environment"] = {"UNKNOWN_FEATURES": "ignore"}
    vpc = {"Subnets": list(security.subnets), "SecurityGroupIds": list(security.security_group_ids)}
    # ModelBuilder describes the model package while it builds, but this one is known only when an execution starts;
    # these are the calls that ModelBuilder makes
    context.session.init_model_step_arguments(SimpleNamespace(sagemaker_session=context.session))
    context.session.create_model(
        # each execution generates a name
        "",
        context.role,
        container_defs=container,
        vpc_config=vpc if security.subnets else None,
        enable_network_isolation=security.network_isolation,
        tags=context.tags,
    )
    return ModelStep(
        name="CreateModel",
        description="Create a model from the model package",
        step_args=context.session.context,
        retry_policies=context.step_retries,
    )


def transform_step(context: PipelineContext, parameters: Parameters, model: ModelStep) -> TransformStep:
    """Return the transform step, with data capture; the data is JSON lines, so that features have names."""
    kms_key = context.settings.security.kms_key
    transformer = Transformer(
        model_name=model.properties.ModelName,
        instance_type=parameters.transform_instance_type,
        # the SDK (3.27) does not accept a parameter here
        instance_count=1,
        strategy="MultiRecord",
        max_payload=MAX_PAYLOAD_IN_MB,
        accept="application/jsonlines",
        assemble_with="Line",
        output_path=context.output_uri("predictions"),
        output_kms_key=kms_key,
        volume_kms_key=kms_key,
        tags=context.tags,
        sagemaker_session=context.session,
    )
    return TransformStep(
        name="Transform",
        description="Predict every line of the data",
        step_args=transformer.transform(
            data=parameters.input_data_uri,
            content_type="application/jsonlines",
            split_type="Line",
            batch_data_capture_config=BatchDataCaptureConfig(
                destination_s3_uri=f"{context.settings.uri(context.bucket)}/batch-captures",
                kms_key_id=kms_key,
                generate_inference_id=True,
            ),
        ),
        retry_policies=context.job_retries,
    )
