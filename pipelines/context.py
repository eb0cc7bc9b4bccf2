"""The context of a pipeline: settings, S3 locations and the parts that its steps have in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from sagemaker.core import image_uris
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.retry import (
    RetryPolicy,
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig

from project.settings import Settings

S3Uri: TypeAlias = str | Join


@dataclass(frozen=True)
class PipelineContext:
    """Settings and S3 locations of a pipeline.

    Attributes:
        role: ARN of the execution role of the jobs.
        processing_instance_type: Parameter with the instance type of processing jobs.
        results: Folder below the project's prefix that contains `executions/`; empty for the prefix itself.
    """

    settings: Settings
    role: str
    bucket: str
    region: str
    session: PipelineSession
    processing_instance_type: ParameterString
    results: str = ""

    @property
    def code_uri(self) -> str:
        return f"{self.settings.uri(self.bucket)}/code"

    def output_uri(self, *path: str) -> Join:
        """Return an S3 location of the running execution, so that executions do not overwrite each other's results."""
        root = "/".join(filter(None, [self.settings.uri(self.bucket), self.results, "executions"]))
        return Join(on="/", values=[root, ExecutionVariables.PIPELINE_EXECUTION_ID, *path])

    def image(self, purpose: str) -> str:
        """Return the URI of the image for "processing", "spark", "training" or "inference"."""
        images = self.settings.images
        custom: str | None = getattr(images, purpose)
        if custom:
            return custom
        if purpose == "spark":
            return _spark_image(self.region)
        return _scikit_learn_image(
            self.region, images.scikit_learn_version, "inference" if purpose == "inference" else "training"
        )

    def processor(
        self,
        entrypoint: list[str],
        instance_count: int | ParameterInteger = 1,
        env: dict[str, str] | None = None,
        instance_type: ParameterString | None = None,
        image: str = "processing",
    ) -> Processor:
        """Return the processor of a processing step; all steps but baselines and PySpark steps run on one instance."""
        resources, kms_key = self.settings.resources, self.settings.security.kms_key
        return Processor(
            role=self.role,
            image_uri=self.image(image),
            entrypoint=entrypoint,
            instance_type=instance_type or self.processing_instance_type,
            instance_count=instance_count,
            volume_size_in_gb=resources.volume_size_in_gb,
            volume_kms_key=kms_key,
            output_kms_key=kms_key,
            max_runtime_in_seconds=resources.processing_max_runtime_in_seconds,
            network_config=self.network,
            env=env,
            tags=self.tags,
            sagemaker_session=self.session,
        )

    @property
    def cache(self) -> CacheConfig:
        cache = self.settings.cache
        return CacheConfig(enable_caching=cache.enabled, expire_after=cache.expire_after if cache.enabled else None)

    @property
    def step_retries(self) -> list[RetryPolicy]:
        return [
            StepRetryPolicy(
                exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
                **self._retry_timing,
            )
        ]

    @property
    def job_retries(self) -> list[RetryPolicy]:
        errors = SageMakerJobExceptionTypeEnum
        return [
            *self.step_retries,
            SageMakerJobStepRetryPolicy(
                exception_types=[errors.RESOURCE_LIMIT],
                failure_reason_types=[errors.INTERNAL_ERROR, errors.CAPACITY_ERROR],
                **self._retry_timing,
            ),
        ]

    @property
    def _retry_timing(self) -> dict[str, float]:
        return self.settings.retry.model_dump()

    @property
    def network(self) -> NetworkConfig | None:
        security = self.settings.security
        if not (security.subnets or security.network_isolation or security.encrypt_inter_container_traffic):
            return None
        return NetworkConfig(
            enable_network_isolation=security.network_isolation,
            encrypt_inter_container_traffic=security.encrypt_inter_container_traffic,
            security_group_ids=list(security.security_group_ids) or None,
            subnets=list(security.subnets) or None,
        )

    @property
    def tags(self) -> list[dict[str, str]] | None:
        """The tags as the API expects them, or None."""
        return [{"Key": key, "Value": value} for key, value in sorted(self.settings.tags.items())] or None


@cache
def _scikit_learn_image(region: str, version: str, scope: str) -> str:
    uri: str = image_uris.retrieve(
        "sklearn",
        region,
        version=version,
        # any CPU type will do: scikit-learn has one image for all
        instance_type="ml.m5.xlarge",
        image_scope=scope,
    )
    return uri


@cache
def _spark_image(region: str) -> str:
    uri: str = image_uris.retrieve(
        "spark",
        region,
        # the newest version that SageMaker has, and the only one with a Python for which our libraries are made
        version="3.5",
        py_version="py312",
        container_version="v1.3",
        # any CPU type will do
        instance_type="ml.m5.xlarge",
    )
    return uri


def processing_input(name: str, uri: object, data_type: str = "S3Prefix") -> ProcessingInput:
    """Return an input that is downloaded to /opt/ml/processing/input/<name>.

    Args:
        name: Name of the input.
        uri: S3 URI of a prefix, or of a manifest.
        data_type: S3Prefix or ManifestFile.
    """
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri,
            local_path=f"/opt/ml/processing/input/{name}",
            s3_data_type=data_type,
            s3_input_mode="File",
            s3_data_distribution_type="FullyReplicated",
        ),
    )


def processing_output(name: str, uri: S3Uri) -> ProcessingOutput:
    """Return an output that is uploaded from /opt/ml/processing/output/<name>."""
    return ProcessingOutput(
        output_name=name,
        s3_output=ProcessingS3Output(
            s3_uri=uri, local_path=f"/opt/ml/processing/output/{name}", s3_upload_mode="EndOfJob"
        ),
    )


def output_of(step: object, name: str) -> object:
    """Return the S3 URI of a processing step's output, as a reference that makes later steps depend on it."""
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri  # type: ignore[attr-defined]
